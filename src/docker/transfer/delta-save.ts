import type { Readable } from 'node:stream';
import type { OutgoingEntry } from '../../archive/tar/write.ts';
import { writeTar } from '../../archive/tar/write.ts';
import type { ContentOptions } from '../../content/source.ts';
import type { SaveArchiveOptions } from '../../content/endpoint.ts';
import { DrayageError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Document } from '../../oci/manifest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { matchesPlatform } from '../../oci/platform.ts';
import type { DaemonImage } from '../images/description.ts';
import type { SaveTarget } from './request-archive.ts';
import { requestBlobs, requestDocuments } from './request-blobs.ts';
import { documentEntries, layoutEntries } from '../../archive/write/layout-entries.ts';

/** Options of {@link openDelta}. */
export interface DeltaOptions extends SaveArchiveOptions {
  held: NonNullable<SaveArchiveOptions['held']>;
}

/**
 * Opens an archive of one image of a containerd store, an OCI layout as a tar, with only the blobs that are not held.
 * It fetches the image's documents first, and then what they name.
 * @returns undefined if a plain save is as good: nothing is held, or the daemon does not say what the image consists of
 */
export async function openDelta(
  target: SaveTarget,
  image: string,
  options: DeltaOptions,
): Promise<Readable | undefined> {
  const found = await target.images.inspect(image, { signal: options.signal, manifests: true });
  const parts = partsOf(found, options);
  if (parts === undefined) return undefined;
  const documents = await fetchDocuments(target, parts, options);
  const blobs = blobsOf(documents);
  const held = await options.held(blobs);
  if (held.size === 0) return undefined;
  const root = bareDescriptor(parts[0]);
  const wanted = blobs.filter(({ digest }) => !held.has(digest));
  return writeTar((signal) => entries(target, { root, documents, wanted }, signal), options);
}

/** The root, and all complete manifests below it; for one platform only its manifest. */
function partsOf(
  { root, manifests = [] }: DaemonImage,
  { platform }: DeltaOptions,
): [Descriptor, ...Descriptor[]] | undefined {
  const whole = manifests.filter((manifest) => manifest.available);
  const descriptors = whole.flatMap(({ descriptor }) => descriptor ?? []);
  if (root === undefined || descriptors.length < whole.length) return undefined;
  if (platform === undefined) return [root, ...descriptors.filter(({ digest }) => digest !== root.digest)];
  const chosen = whole.find((manifest) => manifest.platform && matchesPlatform(platform, manifest.platform));
  return chosen?.descriptor && [chosen.descriptor];
}

/**
 * Fetches documents of an image from a containerd store.
 * @throws {@link DrayageError} `NOT_FOUND` if one does not arrive
 */
export async function fetchDocuments(
  target: SaveTarget,
  wanted: readonly Descriptor[],
  { signal }: ContentOptions,
): Promise<Document[]> {
  const found = await requestDocuments(target, wanted, signal);
  return wanted.map(({ digest }) => found.get(digest) ?? missing(digest));
}

function missing(digest: Digest): never {
  throw new DrayageError('NOT_FOUND', `the daemon does not have ${digest}, which it names`, { digest });
}

/** The blobs that the manifests among the documents name, each once. */
function blobsOf(documents: readonly Document[]): Descriptor[] {
  const blobs = documents.flatMap(({ descriptor, bytes }) => {
    if (!isManifestType(descriptor.mediaType)) return [];
    const { config, layers } = parseManifest(bytes, `manifest ${descriptor.digest}`);
    return [config, ...layers];
  });
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
}

async function* entries(
  target: SaveTarget,
  {
    root,
    documents,
    wanted,
  }: { root: Descriptor; documents: readonly Document[]; wanted: readonly Descriptor[] },
  signal: AbortSignal,
): AsyncGenerator<OutgoingEntry, void, undefined> {
  yield* layoutEntries([root]);
  yield* documentEntries(documents);
  if (wanted.length > 0) yield* requestBlobs(target, wanted, signal);
}

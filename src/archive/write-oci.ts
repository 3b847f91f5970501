import type { Readable } from 'node:stream';
import type { ContentOptions, ContentSource } from '../content.ts';
import { closure, isImageManifest } from '../image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { bareDescriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Document, Manifest } from '../oci/manifest.ts';
import { OCI_INDEX } from '../oci/media-types.ts';
import { normalizeName, normalizedReference, parseReference, withDefaultTag } from '../oci/reference.ts';
import { drain } from '../stream/drain.ts';
import { blobName } from './contents.ts';
import { formatDockerManifest } from './docker-manifest.ts';
import { oneAhead } from './one-ahead.ts';
import type { OutgoingEntry } from './tar-write.ts';
import { smallEntry, writeTar } from './tar-write.ts';

/** Options of {@link writeOciArchive}. */
export interface WriteOciOptions extends ContentOptions {
  /** Digests of blobs to leave out; documents name them all the same. */
  omit?: ReadonlySet<Digest> | undefined;
}

/**
 * Writes an image as an OCI layout in a tar, with all that its root leads to, byte for byte as `source` has it; what an index
 * lacks is left out. A manifest.json over the same blobs lets it be read as a docker archive too.
 *
 * Each blob is read twice: it is verified before its first byte goes out, while the one before it is on its way. After a
 * failure the stream never ends cleanly.
 * @param names references; an index entry is written for each. A containerd store finds an image only by its full name, so
 * that is what stands there
 * @throws {@link DrayageError} `USAGE` for a name that is no reference; from the stream: `DIGEST_MISMATCH`, `SIZE_MISMATCH`,
 * `NOT_FOUND` and whatever else `source` says
 */
export function writeOciArchive(
  root: Descriptor,
  names: readonly string[],
  source: ContentSource,
  options: WriteOciOptions = {},
): Readable {
  const index = formatIndex(root, names);
  return writeTar((signal) => ociEntries(root, { index, names }, source, { ...options, signal }), options);
}

async function* ociEntries(
  root: Descriptor,
  { index, names }: { index: Uint8Array; names: readonly string[] },
  source: ContentSource,
  { omit, signal }: WriteOciOptions,
): AsyncGenerator<OutgoingEntry, void, undefined> {
  const { documents, blobs, image } = await inventory(root, source, { signal });
  yield smallEntry('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  yield smallEntry('index.json', index);
  if (image !== undefined) yield smallEntry('manifest.json', dockerManifest(image, names));
  for (const { descriptor, bytes } of documents) yield smallEntry(blobName(descriptor.digest), bytes);
  const wanted = blobs.filter(({ digest }) => omit?.has(digest) !== true);
  yield* oneAhead(wanted, async (blob) => {
    await drain(await source.open(blob, { signal }));
    return { name: blobName(blob.digest), size: blob.size, bytes: openLater(source, blob, { signal }) };
  });
}

/** Opens content when its first byte is asked for, so that nothing stays open where none is. */
async function* openLater(
  source: ContentSource,
  blob: Descriptor,
  options: ContentOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* await source.open(blob, { ...options, trustUnchanged: true });
}

/** All that a root leads to, and the first image of it. */
async function inventory(
  root: Descriptor,
  source: ContentSource,
  options: ContentOptions,
): Promise<{ documents: Document[]; blobs: Descriptor[]; image: Manifest | undefined }> {
  const documents: Document[] = [];
  const blobs: Descriptor[] = [];
  let image: Manifest | undefined;
  for await (const node of closure(source, root, options)) {
    if (node.kind === 'blob') blobs.push(node.descriptor);
    if (node.kind === 'index' || node.kind === 'manifest') documents.push(node.document);
    if (node.kind === 'manifest' && isImageManifest(node.document)) image ??= node.document.value;
  }
  return { documents, blobs, image };
}

function formatIndex(root: Descriptor, names: readonly string[]): Uint8Array {
  const descriptor = bareDescriptor(root);
  const named = names.map((name) => ({
    ...descriptor,
    annotations: {
      'io.containerd.image.name': normalizedReference(withDefaultTag(parseReference(name))),
      'org.opencontainers.image.ref.name': normalizeName(name),
    },
  }));
  const manifests = named.length > 0 ? named : [descriptor];
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
}

function dockerManifest({ config, layers }: Manifest, names: readonly string[]): Uint8Array {
  return formatDockerManifest([
    {
      config: blobName(config.digest),
      names: names.map(normalizeName),
      layers: layers.map(({ digest }) => blobName(digest)),
    },
  ]);
}

import type { Readable } from 'node:stream';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { isRemote } from '../../content/source.ts';
import type { ImageContents } from '../../image/contents.ts';
import { fetchAhead } from '../../image/fetch-ahead.ts';
import { contentsOf } from '../../image/contents.ts';
import type { Layer } from '../../image/layer.ts';
import { prove, proveAll } from '../../image/prove.ts';
import { isProven } from '../../image/proven.ts';
import { openProving } from '../../image/prove-passing.ts';
import { statedLayers } from '../../image/stated-layers.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { normalizeName } from '../../oci/reference.ts';
import { drain } from '../../stream/drain.ts';
import { nameAnnotations } from '../../listing/names.ts';
import { blobEntry, formatDockerManifest } from '../docker-manifest.ts';
import { oneAhead } from '../../stream/one-ahead.ts';
import type { OutgoingEntry } from '../tar/write.ts';
import type { BlobArchiveOptions } from './options.ts';
import { smallEntry, writeTar } from '../tar/write.ts';
import { blobName, DOCKER_MANIFEST_FILE } from '../../oci/layout.ts';
import { layoutEntries } from './layout-entries.ts';

/** Options of {@link writeOciArchive}. */
export interface WriteOciOptions extends BlobArchiveOptions {
  /** Digests of blobs to leave out; documents name them all the same. */
  omit?: ReadonlySet<Digest> | undefined;
  /**
   * Whether the reader compares each blob with its digest, as a daemon does: then a blob that would be read twice from a
   * server is read once. Default false.
   */
  receiverChecks?: boolean | undefined;
}

/** What an image or a referrer leads to, and where that is read. */
export interface PlacedContents {
  contents: ImageContents;
  /** References; an index entry is written for each, or one without a name. */
  names: readonly string[];
  source: ContentSource;
}

/**
 * Writes an image as an OCI layout in a tar; see {@link writeOciArchives}.
 * @param names references; a containerd store finds an image only by its full name, so that is what stands there
 * @throws {@link DrayageError} as {@link writeOciArchives}
 */
export function writeOciArchive(
  root: Descriptor,
  names: readonly string[],
  source: ContentSource,
  options: WriteOciOptions = {},
): Readable {
  const index = indexEntries(root, names);
  return writeTar(async function* (signal) {
    const contents = await contentsOf(source, root, { signal });
    yield* ociEntries([{ contents, names, source }], index, { ...options, signal });
  }, options);
}

/**
 * Writes images as an OCI layout in a tar, with all that they lead to, byte for byte as the sources have it. A manifest.json
 * over the same blobs lets it be read as a docker archive too.
 *
 * Each blob is read twice: it is verified before its first byte goes out, while the one before it is on its way. For a
 * receiver that checks, a blob that `fetchAhead` leaves on a server is read once, and verified before its last byte. Every
 * layer is proven, and for a receiver that checks, those at hand before anything of the image goes out: a containerd store
 * computes no diffID for a platform that it does not run, or for layers that it has unpacked before. After a failure the stream
 * never ends cleanly.
 * @throws {@link DrayageError} `USAGE` for a name that is no reference; from the stream: `DIGEST_MISMATCH`, `SIZE_MISMATCH`,
 * `NOT_FOUND` and whatever else a source says
 */
export function writeOciArchives(images: readonly PlacedContents[], options: WriteOciOptions = {}): Readable {
  const index = images.flatMap(({ contents, names }) => indexEntries(contents.root.descriptor, names));
  return writeTar((signal) => ociEntries(images, index, { ...options, signal }), options);
}

async function* ociEntries(
  images: readonly PlacedContents[],
  index: readonly Descriptor[],
  { omit = new Set(), receiverChecks = false, signal, onBlob }: WriteOciOptions,
): AsyncGenerator<OutgoingEntry, void, undefined> {
  const claims = await layersIn(images, { signal });
  const [layoutFile, indexFile] = layoutEntries(index);
  yield layoutFile;
  // A containerd store keeps what it gets of a cut archive, except that file.
  if (receiverChecks) await verifyLocal(images, claims, { omit, signal });
  yield indexFile;
  const runnable = images.flatMap(({ contents, names }) =>
    contents.images
      .slice(0, 1)
      .map(({ value: { config, layers } }) => blobEntry(config, layers, names.map(normalizeName))),
  );
  if (runnable.length > 0) yield smallEntry(DOCKER_MANIFEST_FILE, formatDockerManifest(runnable));
  const done = new Set(omit);
  const isNew = ({ digest }: Descriptor): boolean => !done.has(digest) && done.add(digest).has(digest);
  // What names others comes first, for readers that take what they know of.
  for (const { descriptor, bytes } of images.flatMap(({ contents }) => contents.documents.toReversed()))
    if (isNew(descriptor)) yield smallEntry(blobName(descriptor.digest), bytes);
  const wanted = images.flatMap(({ contents, source }) =>
    contents.blobs.filter(isNew).map((blob) => ({ blob, source })),
  );
  yield* oneAhead(fetchAhead(wanted, { signal }), async ({ blob, source, location }) => {
    const claimed = claims.get(blob.digest) ?? [];
    const unproven = claimed.filter((layer) => !isProven(layer));
    const isStreamed = receiverChecks && location === 'remote';
    const isIntact = receiverChecks && (location === 'local' || unproven.length === 0);
    if (!isStreamed && !isIntact) await check(source, blob, unproven, { signal });
    const diffIds = unproven.map(({ diffId }) => diffId);
    const bytes = openLater(async () =>
      isStreamed
        ? openProving(source, blob, diffIds, { signal })
        : source.open(blob, { signal, trustUnchanged: receiverChecks }),
    );
    return { name: blobName(blob.digest), size: blob.size, bytes, onWritten: () => onBlob?.(blob) };
  });
}

/** The layers that the images' configs claim, by their blobs. */
async function layersIn(
  images: readonly PlacedContents[],
  options: ContentOptions,
): Promise<ReadonlyMap<Digest, readonly Layer[]>> {
  const found = new Map<Digest, Layer[]>();
  for (const { contents, source } of images) {
    for (const layer of await statedLayers(source, contents, options)) {
      const same = found.get(layer.blob.digest) ?? [];
      if (!same.some(({ diffId }) => diffId === layer.diffId)) same.push(layer);
      found.set(layer.blob.digest, same);
    }
  }
  return found;
}

/**
 * Verifies the blobs at hand, and proves their layers, so that a daemon gets no document or blob of an image that is
 * damaged or has another layer. A blob that several images share is read once in each source.
 */
async function verifyLocal(
  images: readonly PlacedContents[],
  layers: ReadonlyMap<Digest, readonly Layer[]>,
  { omit, signal }: ContentOptions & { omit: ReadonlySet<Digest> },
): Promise<void> {
  const verified = new Map<ContentSource, Set<string>>();
  for (const { contents, source } of images) {
    const unproven: Layer[] = [];
    const ofSource = verified.get(source) ?? new Set();
    verified.set(source, ofSource);
    for (const blob of contents.blobs) {
      // Another size of the same digest is wrong: only opening it says so.
      const key = `${blob.digest} ${blob.size}`;
      if (omit.has(blob.digest) || ofSource.has(key) || (await isRemote(source, blob, { signal }))) continue;
      ofSource.add(key);
      const ofBlob = (layers.get(blob.digest) ?? []).filter((layer) => !isProven(layer));
      unproven.push(...ofBlob);
      // A pair that was proven says nothing about the bytes in this source.
      if (ofBlob.length === 0) await drain(await source.open(blob, { signal, trustUnchanged: true }));
    }
    await proveAll(source, unproven, { signal });
  }
}

/** Reads a blob: it is intact, and contains each layer that it stands for. */
async function check(
  source: ContentSource,
  blob: Descriptor,
  unproven: readonly Layer[],
  options: ContentOptions,
): Promise<void> {
  for (const layer of unproven) await prove(source, layer, options);
  if (unproven.length === 0) await drain(await source.open(blob, options));
}

/** Opens content when its first byte is asked for, so that nothing stays open where none is. */
async function* openLater(open: () => Promise<Readable>): AsyncGenerator<Uint8Array, void, undefined> {
  yield* await open();
}

/** An entry of index.json for each name, or one without. */
function indexEntries(root: Descriptor, names: readonly string[]): Descriptor[] {
  const descriptor = bareDescriptor(root);
  if (names.length === 0) return [descriptor];
  return names.map((name) => ({ ...descriptor, annotations: nameAnnotations(name) }));
}

import type { SavedLayer } from '../content/layer.ts';
import { savedLayer } from '../content/layer.ts';
import type { ContentSink } from '../content/sink.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { ParsedDocument, Manifest } from '../oci/manifest.ts';
import { walk } from './contents.ts';
import { isImageManifest } from './documents.ts';
import { readConfig } from './image.ts';
import { prove } from './prove.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isNonDistributable } from '../oci/media-types.ts';
import { omittedBlobs } from './omitted-layers.ts';
import { once, tap } from '../stream/tap.ts';

/** Options of {@link copyImage}. */
export interface CopyOptions extends ContentOptions {
  /** Called with each number of bytes that was read. */
  onRead?: (bytes: number) => void;
  /** How many of an image's first layers the source may lack, since they were left out of it on purpose. Default 0. */
  omitted?: number;
}

/**
 * Copies all that a root leads to, byte for byte. Every digest and size is checked, and the diffID of every layer of an
 * image. What the target has already is not read from the source.
 * @returns the layers of all images that the root leads to, bottom first, each diffID once
 * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `MALFORMED`
 */
export async function copyImage(
  source: ContentSource,
  target: ContentSource & ContentSink,
  root: Descriptor,
  options: CopyOptions = {},
): Promise<SavedLayer[]> {
  const copied = new Set<Digest>();
  const manifests: ParsedDocument<Manifest>[] = [];
  for await (const node of walk(source, root, options)) {
    if (node.kind === 'absent') continue;
    if (node.kind === 'blob') {
      if (await isLeftOut(source, node, options)) continue;
      const present = await copyBlob(source, target, node.descriptor, options);
      if (!present) copied.add(node.descriptor.digest);
    } else {
      await target.put(node.document.descriptor, once(node.document.bytes), options);
      if (node.kind === 'manifest' && isImageManifest(node.document)) manifests.push(node.document);
    }
  }
  const layers = new Map<Digest, SavedLayer>();
  const verified = new Set<string>();
  for (const manifest of manifests) {
    const image = await readConfig(target, manifest, options);
    for (const layer of image.layers) {
      const { blob, diffId } = layer;
      const pair = `${blob.digest} ${diffId}`;
      if (verified.has(pair)) continue;
      verified.add(pair);
      if (await isLeftOut(source, { descriptor: blob, parent: manifest }, options)) {
        layers.set(diffId, savedLayer(blob, { diffId, uncompressedSize: null, status: 'omitted' }));
        continue;
      }
      if (isNonDistributable(blob.mediaType) && !(await target.has(blob, options))) continue;
      const uncompressedSize = await prove(target, layer, options);
      const status = copied.has(blob.digest) ? 'written' : 'reused';
      layers.set(diffId, savedLayer(blob, { diffId, uncompressedSize, status }));
    }
  }
  return [...layers.values()];
}

/** Whether a blob is one that the source lacks on purpose. */
async function isLeftOut(
  source: ContentSource,
  { descriptor, parent }: { descriptor: Descriptor; parent: ParsedDocument<Manifest> },
  { omitted = 0, signal }: CopyOptions,
): Promise<boolean> {
  if (omitted === 0 || !isImageManifest(parent)) return false;
  const leftOut = omittedBlobs(parent.value.layers, omitted);
  return leftOut.has(descriptor.digest) && !(await source.has(descriptor, { signal }));
}

/** @returns whether it was there already */
async function copyBlob(
  source: ContentSource,
  target: ContentSource & ContentSink,
  descriptor: Descriptor,
  options: CopyOptions,
): Promise<boolean> {
  if (isNonDistributable(descriptor.mediaType) && !(await source.has(descriptor, options))) return true;
  let opened = false;
  // The target says whether what it has is intact; only if not is the source opened.
  const bytes = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    opened = true;
    yield* tap(await source.open(descriptor, options), (chunk) => options.onRead?.(chunk.length));
  };
  await target.put(descriptor, bytes(), options);
  return !opened;
}

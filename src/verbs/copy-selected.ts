import type { ImageIndex } from '../content/image-index.ts';
import { referenceTo } from '../content/image-index.ts';
import type { ContentSource } from '../content/source.ts';
import type { ImageStore } from '../content/store.ts';
import type { ImageContents } from '../image/contents.ts';
import type { CopiedBy, CopyContentsOptions } from '../image/copy.ts';
import { byteCounter, copyAttached, intoSink, layerStatus } from '../image/copy.ts';
import type { Layer } from '../image/layer.ts';
import { proveAll } from '../image/prove.ts';
import type { ImageIdentity, OnPlanned } from '../listing/unique-reference.ts';
import { identify } from '../listing/unique-reference.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { startLayers } from '../progress.ts';
import type { Selected, Selection } from '../select/selection.ts';
import { configDigestOf } from '../select/selection.ts';

/** How an image is copied, and what the store says of it. */
export interface PlannedCopy {
  contents: ImageContents;
  /** Layers to prove in the store. Default: none. */
  layers?: readonly Layer[];
  source: ContentSource;
  /** Knows what refers to the image. */
  index: Pick<ImageIndex, 'referrers'>;
  root: Descriptor;
  annotations: Record<string, string>;
}

/** An image that was copied. */
interface CopiedImage {
  placed: Selected;
  identity: ImageIdentity;
}

/** Options of {@link copySelected}. */
type CopySelectedOptions = Pick<Selection, 'onProgress'> &
  Pick<CopyContentsOptions, 'concurrency' | 'signal'> & { onPlanned?: OnPlanned };

/**
 * Copies selected images with their referrers into a store: all of them, or, after any failure, none. A blob that several
 * images have is copied once.
 * @param plan called for each image before the first blob of any is copied
 * @returns the stored bytes of all blobs, by how they came
 */
export async function copySelected(
  chosen: readonly Selected[],
  to: ImageStore,
  plan: (placed: Selected) => Promise<PlannedCopy>,
  options: CopySelectedOptions,
): Promise<{ copied: CopiedImage[]; bytes: Record<CopiedBy, number> }> {
  const { concurrency, onPlanned, onProgress, signal } = options;
  const { bytes, onBlob: count } = byteCounter();
  const onRead = (read: number, { digest }: Descriptor): void =>
    onProgress?.({ kind: 'bytes', direction: 'read', bytes: read, digest });
  const copied = await to.update(async (content) => {
    const images: (CopiedImage & { planned: PlannedCopy })[] = [];
    for (const placed of chosen) {
      const planned = await plan(placed);
      const { root, annotations } = planned;
      const identity = identify({ ...placed.image, root, annotations }, configDigestOf(placed));
      images.push({ placed, identity, planned });
    }
    await onPlanned?.(images.map(({ placed, identity }) => ({ ...identity, names: placed.image.names })));
    const blobs = images.flatMap(({ planned }) => planned.contents.blobs);
    const tell = startLayers(onProgress, images.length, [blobs]);
    const onBlob = (blob: Descriptor, by: CopiedBy): void => {
      count(blob, by);
      tell(blob, layerStatus(by));
    };
    const copying = { done: new Set<Digest>(), concurrency, onBlob, signal };
    for (const { placed, planned } of images) {
      onProgress?.({ kind: 'image', name: referenceTo(placed.image) });
      onProgress?.({ kind: 'phase', phase: 'reading' });
      const { contents, layers = [], source, index, root, annotations } = planned;
      const receiver = intoSink(source, content, onRead);
      for (const referrer of await copyAttached(contents, source, index, receiver, copying))
        content.add(referrer, [], {});
      if (layers.length > 0) onProgress?.({ kind: 'phase', phase: 'verifying' });
      await proveAll(content, layers, { signal });
      content.add(root, placed.image.names, annotations);
    }
    return images;
  }, options);
  return { copied, bytes };
}

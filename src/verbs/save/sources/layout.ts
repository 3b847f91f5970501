import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { SavedLayer } from '../../../content/layer.ts';
import { layersOfAll, savedLayer } from '../../../content/layer.ts';
import type { ContentOptions, ContentSource } from '../../../content/source.ts';
import { annotatePart, originalIndexes } from '../../../image/annotations.ts';
import type { ImageContents } from '../../../image/contents.ts';
import type { CopiedBy } from '../../../image/copy.ts';
import { copyAttached, intoSink, layerStatus } from '../../../image/copy.ts';
import type { Layer } from '../../../image/layer.ts';
import { prove, proveAll } from '../../../image/prove.ts';
import { statedLayers } from '../../../image/stated-layers.ts';
import { presentPart } from '../../../image/present-part.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { LayerStatus } from '../../../progress.ts';
import type { SelectedImage } from '../../../select/selection.ts';
import type { SourceOptions } from './source.ts';

/** What the copies of several images share. */
interface CopiesSoFar {
  /** The blobs that were copied before; those of the next image are added. */
  done: Set<Digest>;
  /** Reports that a layer is done. */
  tell: (blob: Descriptor, status: LayerStatus) => void;
}

/**
 * Copies an image from another layout, without the parts that are absent there, and with its referrers.
 */
export async function takeCopies(
  { place, content: source, image, root, read }: SelectedImage,
  { content, onRead, onProgress, signal }: SourceOptions,
  { done, tell }: CopiesSoFar,
): Promise<ArrivedImage> {
  const part = await presentPart(source, root, { annotations: image.annotations, signal });
  const { contents } = part;
  const copied = new Map<Digest, CopiedBy>();
  const onBlob = (blob: Descriptor, by: CopiedBy): void => {
    copied.set(blob.digest, by);
    tell(blob, layerStatus(by));
  };
  onProgress?.({ kind: 'phase', phase: 'reading' });
  const receiver = intoSink(source, content, onRead);
  const referrers = await copyAttached(contents, source, place, receiver, { done, onBlob, signal });
  onProgress?.({ kind: 'phase', phase: 'verifying' });
  for (const blob of contents.omitted) tell(blob, 'omitted');
  const layers = await proven(layersOfAll(read.map((one) => one.layers)), contents, content, {
    copied,
    signal,
  });
  return {
    ...image,
    annotations: { ...annotatePart(part.root.digest, root.digest), ...image.annotations },
    ...originalIndexes(part.root.digest, root.digest),
    root: part.root,
    id: (contents.images[0] ?? read[0].manifest).value.config.digest,
    layers,
    isWritten: false,
    referrers,
  };
}

/** Proves the layers that were copied or there, and tells the status of each. */
async function proven(
  layers: readonly Layer[],
  contents: ImageContents,
  content: ContentSource,
  { copied, signal }: ContentOptions & { copied: ReadonlyMap<Digest, CopiedBy> },
): Promise<SavedLayer[]> {
  const [present, absent] = [contents.blobs, contents.omitted].map(
    (list) => new Set(list.map(({ digest }) => digest)),
  );
  const stated = await statedLayers(content, contents, { signal });
  await proveAll(
    content,
    stated.filter(({ blob }) => present?.has(blob.digest)),
    { signal },
  );
  const told: SavedLayer[] = [];
  for (const layer of layers) {
    const { blob, diffId } = layer;
    if (absent?.has(blob.digest)) {
      told.push(savedLayer(blob, { diffId, uncompressedSize: null, status: 'omitted' }));
    } else if (present?.has(blob.digest)) {
      const status = layerStatus(copied.get(blob.digest) ?? 'reused');
      told.push(savedLayer(blob, { diffId, uncompressedSize: await prove(content, layer), status }));
    }
  }
  return told;
}

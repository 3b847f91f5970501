import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { SavedLayer } from '../../../content/layer.ts';
import { layersOfAll, savedLayer } from '../../../content/layer.ts';
import type { ContentOptions, ContentSource } from '../../../content/source.ts';
import { annotatePart } from '../../../image/annotations.ts';
import type { ImageContents } from '../../../image/contents.ts';
import type { CopiedBy } from '../../../image/copy.ts';
import { copyAttached, intoSink } from '../../../image/copy.ts';
import type { Layer } from '../../../image/layer.ts';
import { prove, proveAll } from '../../../image/prove.ts';
import { presentPart } from '../../../image/present-part.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { SelectedImage } from '../../../select/selection.ts';
import type { SourceOptions } from './source.ts';

/**
 * Copies an image from another layout, without the parts that are absent there, and with its referrers.
 * @param done the blobs that were copied before; those of this image are added
 */
export async function takeCopies(
  { place, content: source, image, root, read }: SelectedImage,
  { content, onRead, signal }: SourceOptions,
  done: Set<Digest>,
): Promise<ArrivedImage> {
  const part = await presentPart(source, root, { annotations: image.annotations, signal });
  const { contents } = part;
  const copied = new Map<Digest, CopiedBy>();
  const onBlob = ({ digest }: { digest: Digest }, by: CopiedBy): void => void copied.set(digest, by);
  const receiver = intoSink(source, content, onRead);
  const referrers = await copyAttached(contents, source, place, receiver, { done, onBlob, signal });
  const layers = await proven(layersOfAll(read.map((one) => one.layers)), contents, content, {
    copied,
    signal,
  });
  return {
    ...image,
    annotations: { ...annotatePart(part.root.digest, root.digest), ...image.annotations },
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
  { blobs, omitted }: ImageContents,
  content: ContentSource,
  { copied, signal }: ContentOptions & { copied: ReadonlyMap<Digest, CopiedBy> },
): Promise<SavedLayer[]> {
  const [present, absent] = [blobs, omitted].map((list) => new Set(list.map(({ digest }) => digest)));
  const held = layers.filter(({ blob }) => present?.has(blob.digest));
  await proveAll(content, held, { signal });
  const told: SavedLayer[] = [];
  for (const layer of layers) {
    const { blob, diffId } = layer;
    if (absent?.has(blob.digest)) {
      told.push(savedLayer(blob, { diffId, uncompressedSize: null, status: 'omitted' }));
    } else if (present?.has(blob.digest)) {
      const status = copied.get(blob.digest) === 'written' ? 'written' : 'reused';
      told.push(savedLayer(blob, { diffId, uncompressedSize: await prove(content, layer), status }));
    }
  }
  return told;
}

import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { ImagePlace } from '../../../content/image-index.ts';
import type { SavedLayer } from '../../../content/layer.ts';
import { savedLayer } from '../../../content/layer.ts';
import type { ContentOptions, ContentSource } from '../../../content/source.ts';
import type { ImageContents } from '../../../image/contents.ts';
import { contentsOf } from '../../../image/contents.ts';
import type { CopiedBy } from '../../../image/copy.ts';
import { copyContents, intoSink } from '../../../image/copy.ts';
import type { Layer } from '../../../image/layer.ts';
import { prove, proveAll } from '../../../image/prove.ts';
import { referrersOf } from '../../../image/referrers.ts';
import type { Digest } from '../../../oci/digest.ts';
import { select } from '../../../select/select.ts';
import type { SourceOptions } from './source.ts';

/** Copies images from another layout: those that are asked for, or all. */
export async function fromLayout(place: ImagePlace, options: SourceOptions): Promise<ArrivedImage[]> {
  const { content, onRead, onProgress, signal } = options;
  const arrivals: ArrivedImage[] = [];
  const done = new Set<Digest>();
  for (const { place: holder, image, root, read } of await select([place], options)) {
    onProgress?.({ kind: 'image', name: image.names[0] ?? image.root.digest });
    const { annotations } = image;
    const contents = await contentsOf(holder, root, { annotations, signal });
    const referrers = await referrersOf(holder, holder, contents, { signal });
    const copied = new Map<Digest, CopiedBy>();
    const onBlob = ({ digest }: { digest: Digest }, by: CopiedBy): void => void copied.set(digest, by);
    for (const one of [contents, ...referrers.map((referrer) => referrer.contents)])
      await copyContents(one, intoSink(holder, content, onRead), { done, onBlob, signal });
    const layers = await proven(
      read.flatMap((one) => one.layers),
      contents,
      content,
      { copied, signal },
    );
    const id = read[0].config.descriptor.digest;
    const descriptors = referrers.map(({ descriptor }) => descriptor);
    arrivals.push({ ...image, root, id, layers, isWritten: false, referrers: descriptors });
  }
  return arrivals;
}

/** Proves the layers that were copied or there, and tells what became of each, bottom first, each diffID once. */
async function proven(
  layers: readonly Layer[],
  { blobs, omitted }: ImageContents,
  content: ContentSource,
  { copied, signal }: ContentOptions & { copied: ReadonlyMap<Digest, CopiedBy> },
): Promise<SavedLayer[]> {
  const [present, absent] = [blobs, omitted].map((list) => new Set(list.map(({ digest }) => digest)));
  const held = layers.filter(({ blob }) => present?.has(blob.digest));
  await proveAll(content, held, { signal });
  const told = new Map<Digest, SavedLayer>();
  for (const layer of layers) {
    const { blob, diffId } = layer;
    if (absent?.has(blob.digest)) {
      told.set(diffId, savedLayer(blob, { diffId, uncompressedSize: null, status: 'omitted' }));
    } else if (present?.has(blob.digest)) {
      const status = copied.get(blob.digest) === 'written' ? 'written' : 'reused';
      told.set(diffId, savedLayer(blob, { diffId, uncompressedSize: await prove(content, layer), status }));
    }
  }
  return [...told.values()];
}

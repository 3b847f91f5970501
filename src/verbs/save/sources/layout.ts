import type { ImagePlace } from '../../../content/image-index.ts';
import { copyImage } from '../../../image/copy.ts';
import { omittedLayers } from '../../../image/omitted-layers.ts';
import { referrersOf } from '../../../image/referrers.ts';
import { select } from '../../../select/select.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { SourceOptions } from './source.ts';

/** Copies images from another layout: those that are asked for, or all. */
export async function fromLayout(place: ImagePlace, options: SourceOptions): Promise<ArrivedImage[]> {
  const { content, onRead, onProgress, signal } = options;
  const arrivals: ArrivedImage[] = [];
  for (const { place: holder, image, root, read } of await select([place], options)) {
    onProgress?.({ kind: 'image', name: image.names[0] ?? image.root.digest });
    const omitted = omittedLayers(image.annotations, image.root.digest);
    const layers = await copyImage(holder, content, root, { signal, onRead, omitted });
    const attached = await referrersOf(holder, holder, root, { signal });
    const referrers = attached.map(({ descriptor }) => descriptor);
    for (const referrer of referrers) await copyImage(holder, content, referrer, { signal, onRead });
    const id = read[0].config.descriptor.digest;
    arrivals.push({ ...image, root, id, layers, isWritten: false, referrers });
  }
  return arrivals;
}

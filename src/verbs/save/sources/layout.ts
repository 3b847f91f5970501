import type { ImagePlace, StoredImage } from '../../../content/image-index.ts';
import { overlay } from '../../../content/overlay.ts';
import type { ContentSource } from '../../../content/source.ts';
import { copyImage } from '../../../image/copy.ts';
import { readImage } from '../../../image/image.ts';
import { ORIGINAL_INDEX } from '../../../image/annotations.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import { bareDescriptor } from '../../../oci/descriptor.ts';
import { omittedLayers } from '../../../image/omitted-layers.ts';
import type { Platform } from '../../../oci/platform.ts';
import { matchesPlatform } from '../../../oci/platform.ts';
import { referrersOf } from '../../../image/referrers.ts';
import { selectImages } from '../../../select/select.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { ArriveOptions } from '../arrival.ts';

/** Copies images from another layout: those that are asked for, or all. */
export async function fromLayout(place: ImagePlace, options: ArriveOptions): Promise<ArrivedImage[]> {
  const { content, onRead, onProgress, signal, images, platform } = options;
  const { policy, authenticate } = options;
  const onNote = (message: string): void => onProgress?.({ kind: 'note', message });
  const arrivals: ArrivedImage[] = [];
  const from = platform === undefined ? place : narrowed(place, platform);
  const chosen = await selectImages([from], images, { policy, authenticate, onNote, signal });
  for (const { place: holder, image } of chosen) {
    onProgress?.({ kind: 'image', name: image.names[0] ?? image.root.digest });
    const root = await rootFor(holder, image.root, options);
    const omitted = omittedLayers(image.annotations, image.root.digest);
    const layers = await copyImage(holder, content, root, { signal, onRead, omitted });
    const attached = await referrersOf(holder, holder, root, { signal });
    const referrers = attached.map(({ descriptor }) => descriptor);
    for (const referrer of referrers) await copyImage(holder, content, referrer, { signal, onRead });
    const { config } = await readImage(content, root, { signal });
    policy?.check(image, config.value);
    const isPart = root.digest !== image.root.digest;
    const annotations = { ...(isPart && { [ORIGINAL_INDEX]: image.root.digest }), ...image.annotations };
    const id = config.descriptor.digest;
    arrivals.push({ ...image, root, id, annotations, layers, isWritten: false, referrers });
  }
  return arrivals;
}

async function rootFor(
  place: ContentSource,
  root: Descriptor,
  { platform, signal }: ArriveOptions,
): Promise<Descriptor> {
  if (platform === undefined) return root;
  const { manifest } = await readImage(place, root, { platform, signal });
  return manifest.descriptor.digest === root.digest ? root : bareDescriptor(manifest.descriptor);
}

/** A place without the images that say that they are for another platform; where only such are left, it is as it was. */
function narrowed(place: ImagePlace, wanted: Platform): ImagePlace {
  const fits = ({ root: { platform } }: StoredImage): boolean =>
    platform === undefined || matchesPlatform(wanted, platform);
  return overlay(place, {
    resolve: (reference, options) => place.resolve(reference, { ...options, platform: wanted }),
    images: async (options) => {
      const all = await place.images(options);
      const fitting = all.filter(fits);
      const names = new Set(fitting.flatMap((image) => image.names));
      // What is there for other platforms only stays, so that it is told.
      return all.filter((image) => fits(image) || !image.names.some((name) => names.has(name)));
    },
  });
}

import { nameOf } from '../../../content/image-index.ts';
import { count } from '../../../text/count.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import { images, readImage } from '../../../image/image.ts';
import { omittedBlobs } from '../../../image/omitted-layers.ts';
import { formatBytes } from '../../../text/bytes.ts';
import { configPlatform } from '../../../oci/config.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import { bareDescriptor } from '../../../oci/descriptor.ts';
import { buildManifest } from '../../../oci/manifest.ts';
import { isManifestType } from '../../../oci/media-types.ts';
import type { OnProgress } from '../../../progress.ts';
import { once } from '../../../stream/tap.ts';
import type { BaseFinder } from './base-finder.ts';
import type { BaseImage } from '../../../image/base-image.ts';
import type { OmitLayersOptions } from './omit.ts';
import { omitLayers } from './omit.ts';

/** Options of {@link omitBase}; `bases` are those besides the image's own. */
interface OmitBaseOptions extends OmitLayersOptions {
  finder: BaseFinder;
  onProgress?: OnProgress;
}

/** Omits the layers of an image's base, if one is found, and notes it. */
export async function omitBase(
  image: ArrivedImage,
  { finder, onProgress, ...options }: OmitBaseOptions,
): Promise<ArrivedImage> {
  const { content, signal } = options;
  const name = nameOf(image);
  const bases = new Set<BaseImage>();
  let rebased = image;
  for await (const { config } of images(content, image.root, { signal })) {
    const { diff_ids: diffIds } = config.value.rootfs;
    const base = await finder.find({ name, diffIds, platform: configPlatform(config.value) });
    if (base === undefined) continue;
    bases.add(base);
    rebased = await rebase(rebased, base, options);
  }
  const result = await omitLayers(rebased, { ...options, bases: [...options.bases, ...bases] });
  for (const base of bases) tell(name, base, result, onProgress);
  return result;
}

/**
 * Replaces an arrived image's blobs by those of its base, if its manifest was written here and may be written again.
 * Blobs that are omitted or stored by now stay. An image with its own manifest stays as it is: it names the base's
 * blobs itself, or has others.
 */
async function rebase(
  image: ArrivedImage,
  base: BaseImage,
  { content, holdings, signal }: OmitLayersOptions,
): Promise<ArrivedImage> {
  const { root } = image;
  if (!image.isWritten || !isManifestType(root.mediaType)) return image;
  const { manifest, config } = await readImage(content, root, { signal });
  const { layers } = manifest.value;
  const stored = await holdings.findBlobs(layers);
  const omitted = omittedBlobs(layers, image);
  const stays = ({ digest }: Descriptor): boolean =>
    omitted.has(digest) || stored.get(digest)?.blob.digest === digest;
  const blobs = layers.map((blob, i) => (stays(blob) ? blob : (base.layers[i]?.blob ?? blob)));
  const document = buildManifest(config.descriptor, blobs);
  await content.put(document.descriptor, once(document.bytes), { signal });
  return {
    ...image,
    root: document.descriptor,
    layers: image.layers.map((layer, i) => ({ ...layer, ...bareDescriptor(blobs[i] ?? layer) })),
  };
}

function tell(
  name: string,
  base: BaseImage,
  { layers }: ArrivedImage,
  onProgress: OnProgress | undefined,
): void {
  const blobs = new Set(base.layers.map(({ blob }) => blob.digest));
  const omitted = layers.filter(({ digest, status }) => status === 'omitted' && blobs.has(digest));
  const size = omitted.reduce((sum, layer) => sum + layer.size, 0);
  const message =
    omitted.length > 0
      ? `${name}: ${omitted.length} of ${count(layers.length, 'layer')} (${formatBytes(size)}) are omitted: its base ${base.name} has them`
      : `${name}: nothing is omitted: its manifest does not name the blobs of its base ${base.name}, or the layout has them`;
  onProgress?.({ kind: 'note', message });
}

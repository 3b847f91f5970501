import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { SaveSource } from '../arrival.ts';
import type { ContentOptions } from '../../../content/source.ts';
import type { ImageEndpoint } from '../../../content/endpoint.ts';
import { images } from '../../../image/image.ts';
import type { LayoutTransaction } from '../../../layout/transaction.ts';
import { configPlatform } from '../../../oci/config.ts';
import type { Platform } from '../../../oci/platform.ts';
import { matchesPlatform } from '../../../oci/platform.ts';
import type { OnProgress } from '../../../progress.ts';
import { megabytes } from '../../../image/size-check.ts';
import type { BaseFinder } from './base-finder.ts';
import type { BaseImage } from './base-image.ts';
import type { LayerBase } from './layer-base.ts';
import { leaveOut } from './leave-out.ts';
import { rebase } from './rebase.ts';

/** Options of {@link findBasesBefore}. */
interface FindBasesOptions extends ContentOptions {
  from: SaveSource;
  images?: readonly string[];
  platform?: Platform;
}

/**
 * Finds the bases of images of a daemon before any of them is sent, so that what they have need not be sent nor compressed.
 * Of an archive or a layout it is not known beforehand what is in them.
 */
export async function findBasesBefore(
  finder: BaseFinder,
  { from, images: names = [], platform, signal }: FindBasesOptions,
): Promise<BaseImage[]> {
  if (!('load' in from)) return [];
  const found = new Set<BaseImage>();
  for (const name of names) {
    const { diffIds, platforms = [], labels = {} } = await from.inspect(name, { signal, platforms: true });
    const wanted = platform ?? (await platformOf(from, platforms, { signal }));
    const base = await finder.find({ name, diffIds, platform: wanted, said: labels });
    if (base !== undefined) found.add(base);
  }
  return [...found];
}

/** The layers that a daemon tells of an image are those for its own platform, where there are several. */
async function platformOf(
  daemon: ImageEndpoint,
  platforms: readonly { platform: Platform }[],
  options: ContentOptions,
): Promise<Platform> {
  const own = await daemon.platform(options);
  const [only, ...others] = platforms.map(({ platform }) => platform);
  if (only !== undefined && others.length === 0) return only;
  return platforms.find(({ platform }) => matchesPlatform(own, platform))?.platform ?? own;
}

/** Options of {@link thin}. */
interface ThinImageOptions extends ContentOptions {
  finder: BaseFinder;
  /** What else may be left out. */
  others: readonly LayerBase[];
  /** Bases of other images: what they have is not left out here, but may have to be brought in. */
  spare: readonly LayerBase[];
  onProgress?: OnProgress;
}

/** Leaves out the layers that the base of an image has, where one is found, and says so. */
export async function thin(
  arrival: ArrivedImage,
  content: LayoutTransaction,
  { finder, others, spare, signal, onProgress }: ThinImageOptions,
): Promise<ArrivedImage> {
  const name = arrival.names[0] ?? arrival.id;
  const bases = new Set<BaseImage>();
  let rebased = arrival;
  for await (const { manifest, config } of images(content, arrival.root, { signal })) {
    const { Labels: labels } = config.value.config ?? {};
    const said = { ...labels, ...manifest.value.annotations, ...arrival.annotations };
    const { diff_ids: diffIds } = config.value.rootfs;
    const base = await finder.find({ name, diffIds, platform: configPlatform(config.value), said });
    if (base === undefined) continue;
    bases.add(base);
    rebased = await rebase(rebased, base, content, { signal });
  }
  const own = [...others, ...bases];
  const result = await leaveOut(rebased, content, own, { signal, spare });
  for (const base of bases) tell(name, base, result, onProgress);
  return result;
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
      ? `${name}: ${omitted.length} of ${layers.length} layers (${megabytes(size)}) are left out, as its base ${base.name} has them`
      : `${name}: nothing is left out: its manifest does not name the blobs of its base ${base.name}, or the layout has them`;
  onProgress?.({ kind: 'note', message });
}

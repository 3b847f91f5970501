import { nameOf } from '../../../content/image-index.ts';
import { count } from '../../../text/count.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { ImageEndpoint } from '../../../content/endpoint.ts';
import type { ImagePlace, StoredImage } from '../../../content/image-index.ts';
import type { ErrorReason } from '../../../errors.ts';
import type { ContentOptions } from '../../../content/source.ts';
import type { JobLayout } from '../../../image/base-job.ts';
import type { JobPlace } from '../../../image/base-jobs.ts';
import { baseJobsOf, describeJob } from '../../../image/base-jobs.ts';
import { BaseJob } from '../../../image/base-job.ts';
import { footprint } from '../../../image/footprint.ts';
import { omittedParts } from '../../../image/omitted-layers.ts';
import type { Ledger } from '../../../image/ledger.ts';
import type { SizeLimits } from '../../../image/size-check.ts';
import { formatBytes } from '../../../text/bytes.ts';
import { describeKeeper } from '../../../text/kept.ts';
import type { Platform } from '../../../oci/platform.ts';
import { matchesPlatform } from '../../../oci/platform.ts';
import type { OnProgress } from '../../../progress.ts';
import type { Selection } from '../../../select/selection.ts';
import type { SaveSource } from '../sources/source.ts';
import type { Base } from './base.ts';
import type { BaseSearch } from './base-finder.ts';
import { BaseFinder } from './base-finder.ts';
import { BaseLayout } from './base-layout.ts';
import type { OmitLayersOptions } from './omit.ts';
import { omitLayers } from './omit.ts';
import { omitBase } from './omit-base.ts';

/** When to omit layers that registries have. */
export interface ThinOptions extends BaseSearch {
  /**
   * `always`: whenever a base is found. `auto`: only if the layout would exceed its limit, or the size of a warning.
   */
  when: 'auto' | 'always';
}

/** What a layout omits. */
export interface OmitOptions extends SizeLimits, Pick<Selection, 'images' | 'platform'> {
  from: SaveSource;
  /**
   * Layouts that will be present when this one is read: layers that they are proven to hold are not stored again. Such
   * omissions are recorded with the image. Default: none.
   */
  baseLayouts?: readonly ImagePlace[] | undefined;
  /**
   * Layouts in the artifacts of earlier jobs: layers that they state are omitted, and recorded with the image. Those of
   * the first layout that has a layer count. Default: none.
   */
  baseJobs?: readonly JobLayout[] | undefined;
  /**
   * Omits the layers of an image's base that a registry has now. They are read there when needed. Default: none are
   * omitted for that reason.
   */
  thin?: ThinOptions | undefined;
}

/** Decides which layers a layout omits, from before the first byte arrives until the end. */
export class Omitter {
  /** The bases that are known beforehand. */
  readonly bases: readonly Base[];
  readonly #options: OmitOptions;
  readonly #layouts: readonly Base[];
  readonly #finder: BaseFinder | undefined;

  private constructor(
    options: OmitOptions,
    layouts: readonly Base[],
    found: readonly Base[],
    finder: BaseFinder | undefined,
  ) {
    this.#options = options;
    this.#layouts = layouts;
    this.#finder = finder;
    this.bases = [...layouts, ...found];
  }

  /**
   * Finds the bases that are known beforehand.
   * @param ledger receives what the bases say about their layers
   */
  static async prepare(options: OmitOptions, ledger: Ledger): Promise<Omitter> {
    const { baseLayouts = [], baseJobs = [], thin, signal, onProgress } = options;
    const layouts: Base[] = [];
    for (const layout of baseLayouts) layouts.push(await BaseLayout.open(layout, ledger, { signal }));
    const onNote = (message: string, reason?: ErrorReason): void =>
      onProgress?.({ kind: 'note', message, reason });
    for (const layout of baseJobs) {
      const base = await BaseJob.open(layout, ledger, { signal });
      for (const place of base.expiring) onNote(describeExpiring(place), 'BASE_EXPIRES');
      layouts.push(base);
    }
    const finder = thin && new BaseFinder(thin, ledger, onNote, { signal });
    const found = finder !== undefined && thin?.when === 'always' ? await findBefore(finder, options) : [];
    return new Omitter(options, layouts, found, finder);
  }

  /**
   * Decides for each image what is omitted.
   * @param before the images that the store has already
   */
  async settle(
    arrived: readonly ArrivedImage[],
    before: readonly StoredImage[],
    store: Pick<OmitLayersOptions, 'content' | 'holdings'>,
  ): Promise<ArrivedImage[]> {
    const { thin, signal, onProgress } = this.#options;
    const options = { ...store, bases: this.#layouts, signal };
    const finder = this.#finder;
    let images = [...arrived];
    if (finder === undefined || thin?.when !== 'always') {
      images = await inTurn(images, (image) => omitLayers(image, options));
      dropOmitted(images, store.content);
      for (const image of images) noteJobs(image, onProgress);
      if (finder === undefined || !(await this.#exceeds(store.content, [...before, ...images])))
        return images;
    }
    images = await inTurn(images, (image) =>
      omitBase(image, { ...options, finder, spare: this.bases, onProgress }),
    );
    dropOmitted(images, store.content);
    return images;
  }

  async #exceeds(
    content: OmitLayersOptions['content'],
    images: readonly Pick<StoredImage, 'root' | 'annotations'>[],
  ): Promise<boolean> {
    const { maxSize = Infinity, warnSize = Infinity, signal } = this.#options;
    const budget = Math.min(maxSize, warnSize);
    if (budget === Infinity) return false;
    const roots = images.map(({ root, annotations }) => ({ ...root, annotations }));
    return (await footprint(content, roots, { signal })).bytes > budget;
  }
}

/** Says which jobs have the omitted layers of an image, and what that saves. */
function noteJobs(image: ArrivedImage, onProgress: OnProgress | undefined): void {
  const jobs = baseJobsOf(image);
  const total = image.layers.reduce((sum, { size }) => sum + size, 0);
  const omitted = image.layers.filter(({ digest, status }) => status === 'omitted' && jobs.has(digest));
  for (const part of omittedParts([{ ...image, omitted }])) {
    const { layers, bytes } = part;
    const message = `${nameOf(image)}: ${layers} of ${count(image.layers.length, 'layer')} (${formatBytes(bytes)} of ${formatBytes(total)}) are omitted: ${describeKeeper(part)}`;
    onProgress?.({ kind: 'note', message });
  }
}

function describeExpiring(place: JobPlace): string {
  const why = `its artifact may be deleted from ${place.expires} on, before this layout`;
  return `base ${describeJob(place)} is not used: ${why}`;
}

/** Removes layers that were written and are omitted after all, unless another image needs them. */
function dropOmitted(images: readonly ArrivedImage[], content: OmitLayersOptions['content']): void {
  const layers = images.flatMap((image) => image.layers);
  const needed = new Set(layers.filter(({ status }) => status !== 'omitted').map(({ digest }) => digest));
  for (const { digest } of layers) if (!needed.has(digest)) content.drop?.(digest);
}

async function inTurn<T>(things: readonly T[], change: (thing: T) => Promise<T>): Promise<T[]> {
  const changed: T[] = [];
  for (const thing of things) changed.push(await change(thing));
  return changed;
}

/**
 * Finds the bases of a daemon's images before any is sent, so that their layers need not be sent or compressed. The
 * images of an archive or a layout are not known beforehand.
 */
async function findBefore(
  finder: BaseFinder,
  { from, images: names = [], platform, signal }: OmitOptions,
): Promise<Base[]> {
  if (!('load' in from)) return [];
  const found = new Set<Base>();
  for (const name of names) {
    const { diffIds, platforms = [] } = await from.inspect(name, { signal, platforms: true });
    const wanted = platform ?? (await platformOf(from, platforms, { signal }));
    const base = await finder.find({ name, diffIds, platform: wanted });
    if (base !== undefined) found.add(base);
  }
  return [...found];
}

/** If there are several platforms, the layers in a daemon's description of an image are those for its own platform. */
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

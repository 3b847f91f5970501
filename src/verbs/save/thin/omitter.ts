import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { ImageEndpoint } from '../../../content/endpoint.ts';
import type { ImagePlace, StoredImage } from '../../../content/image-index.ts';
import type { ContentOptions } from '../../../content/source.ts';
import { footprint } from '../../../image/footprint.ts';
import type { Ledger } from '../../../image/ledger.ts';
import type { SizeLimits } from '../../../image/size-check.ts';
import type { Platform } from '../../../oci/platform.ts';
import { matchesPlatform } from '../../../oci/platform.ts';
import type { SaveSource } from '../sources/source.ts';
import type { Base } from './base.ts';
import type { BaseSearch } from './base-finder.ts';
import { BaseFinder } from './base-finder.ts';
import { BaseLayout } from './base-layout.ts';
import type { OmitLayersOptions } from './omit.ts';
import { omitLayers } from './omit.ts';
import { omitBase } from './omit-base.ts';

/** When layers are omitted that registries have. */
export interface ThinOptions extends BaseSearch {
  /** `always`: wherever a base is found. `auto`: only where the layout would be larger than its limit, or than is warned of. */
  when: 'auto' | 'always';
}

/** What a layout is to omit. */
export interface OmitOptions extends SizeLimits {
  from: SaveSource;
  images?: readonly string[] | undefined;
  platform?: Platform | undefined;
  /**
   * Layouts that will be there where this one is read: layers that they are proven to hold are not stored again. What is
   * omitted so is recorded with the image. Default: none.
   */
  baseLayouts?: readonly ImagePlace[] | undefined;
  /**
   * Omits the layers of an image's base, as far as a registry has them now. They are read there again where they are needed.
   * Default: nothing is omitted for that.
   */
  thin?: ThinOptions | undefined;
}

/** Decides which layers a layout omits, from before the first byte arrives until all is decided. */
export class Omitter {
  /** What can be had elsewhere, as far as it is known beforehand. */
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
   * Finds out what can be had elsewhere.
   * @param ledger gets what the bases say of their layers
   */
  static async prepare(options: OmitOptions, ledger: Ledger): Promise<Omitter> {
    const { baseLayouts = [], thin, signal, onProgress } = options;
    const layouts: Base[] = [];
    for (const layout of baseLayouts) layouts.push(await BaseLayout.open(layout, ledger, { signal }));
    const onNote = (message: string): void => onProgress?.({ kind: 'note', message });
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

/** Layers that were written, and are omitted after all, go; unless another image needs them. */
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
 * Finds the bases of images of a daemon before any of them is sent, so that what they have need not be sent nor compressed.
 * Of an archive or a layout it is not known beforehand what is in them.
 */
async function findBefore(
  finder: BaseFinder,
  { from, images: names = [], platform, signal }: OmitOptions,
): Promise<Base[]> {
  if (!('load' in from)) return [];
  const found = new Set<Base>();
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

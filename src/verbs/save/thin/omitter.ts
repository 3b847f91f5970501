import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { SaveSource } from '../arrival.ts';
import type { StoredImage } from '../../../content/image-index.ts';
import { footprint } from '../../../image/footprint.ts';
import type { LayoutTransaction } from '../../../layout/transaction.ts';
import type { Platform } from '../../../oci/platform.ts';
import type { SizeLimits } from '../../../image/size-check.ts';
import type { BaseSearch } from './base-finder.ts';
import { BaseFinder } from './base-finder.ts';
import type { LayerBase } from './layer-base.ts';
import type { BaseLayout } from './layout-base.ts';
import { LayoutBase } from './layout-base.ts';
import { leaveOut } from './leave-out.ts';
import { findBasesBefore, thin } from './thinning.ts';

/** When layers are left out that registries have. */
export interface ThinOptions extends BaseSearch {
  /** `always`: wherever a base is found. `auto`: only where the layout would be larger than its limit, or than is warned of. */
  when: 'auto' | 'always';
}

/** What is to be left out of a layout. */
export interface OmissionOptions extends SizeLimits {
  from: SaveSource;
  images?: readonly string[] | undefined;
  platform?: Platform | undefined;
  /**
   * Layouts that will be there where this one is read: layers that they hold are not stored again. What is left out so is
   * recorded with the image. Default: none.
   */
  baseLayouts?: readonly BaseLayout[] | undefined;
  /**
   * Leaves out the layers of an image's base, as far as a registry has them now. They are read there again where they are
   * needed. Default: nothing is left out for that.
   */
  thin?: ThinOptions | undefined;
}

/** What is left out of a layout, from before the first byte arrives until all is decided. */
export class Omission {
  /** What can be had elsewhere, as far as it is known beforehand. */
  readonly bases: readonly LayerBase[];
  readonly #options: OmissionOptions;
  readonly #layouts: readonly LayerBase[];
  readonly #finder: BaseFinder | undefined;

  private constructor(
    options: OmissionOptions,
    layouts: readonly LayerBase[],
    found: readonly LayerBase[],
    finder: BaseFinder | undefined,
  ) {
    this.#options = options;
    this.#layouts = layouts;
    this.#finder = finder;
    this.bases = [...layouts, ...found];
  }

  /** Finds out what can be had elsewhere. */
  static async prepare(options: OmissionOptions): Promise<Omission> {
    const { baseLayouts = [], thin: search, signal, onProgress } = options;
    const layouts: LayerBase[] = [];
    for (const layout of baseLayouts) layouts.push(await LayoutBase.open(layout, { signal }));
    const onNote = (message: string): void => onProgress?.({ kind: 'note', message });
    const finder = search && new BaseFinder(search, onNote, { signal });
    const isKnown = finder !== undefined && search?.when === 'always';
    return new Omission(options, layouts, isKnown ? await findBasesBefore(finder, options) : [], finder);
  }

  /**
   * Decides for each image what is left out.
   * @param before the images that the layout has already
   */
  async settle(
    arrived: readonly ArrivedImage[],
    content: LayoutTransaction,
    before: readonly StoredImage[],
  ): Promise<ArrivedImage[]> {
    if (this.#options.thin?.when === 'always') return this.#thin(arrived, content);
    const { signal } = this.#options;
    const arrivals: ArrivedImage[] = [];
    for (const arrival of arrived) arrivals.push(await leaveOut(arrival, content, this.#layouts, { signal }));
    const isLarge = this.#finder !== undefined && (await this.#exceeds(content, [...before, ...arrivals]));
    return isLarge ? this.#thin(arrivals, content) : arrivals;
  }

  async #exceeds(
    content: LayoutTransaction,
    images: readonly Pick<StoredImage, 'root' | 'annotations'>[],
  ): Promise<boolean> {
    const { maxSize = Infinity, warnSize = Infinity, signal } = this.#options;
    const budget = Math.min(maxSize, warnSize);
    if (budget === Infinity) return false;
    const roots = images.map(({ root, annotations }) => ({ ...root, annotations }));
    return (await footprint(content, roots, { signal })).bytes > budget;
  }

  async #thin(arrived: readonly ArrivedImage[], content: LayoutTransaction): Promise<ArrivedImage[]> {
    const finder = this.#finder;
    if (finder === undefined) return [...arrived];
    const { signal, onProgress } = this.#options;
    const options = { finder, others: this.#layouts, spare: this.bases, signal, onProgress };
    const arrivals: ArrivedImage[] = [];
    for (const arrival of arrived) arrivals.push(await thin(arrival, content, options));
    return arrivals;
  }
}

import type { ImagePlace } from '../../../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../../../content/source.ts';
import { HeldLayers } from '../../../image/held-layers.ts';
import { images, isUnreadable } from '../../../image/image.ts';
import type { Layer } from '../../../image/layer.ts';
import type { Ledger } from '../../../image/ledger.ts';
import type { Base } from './base.ts';

/**
 * A layout that will be present when the saved one is read. It is at hand: only layers that it is proven to hold count. Where
 * others are, which it omits itself, is its own word: they count only if a further base has them, which the user named, too.
 */
export class BaseLayout implements Base {
  readonly source: ContentSource;
  readonly #held: HeldLayers;

  private constructor(layout: ContentSource, options: ContentOptions) {
    this.source = layout;
    this.#held = new HeldLayers(layout, options);
  }

  /** Reads the documents of all images. A damaged one claims nothing. */
  static async open(layout: ImagePlace, ledger: Ledger, options: ContentOptions = {}): Promise<BaseLayout> {
    const base = new BaseLayout(layout, options);
    for (const { root } of await layout.images(options)) {
      try {
        for await (const { layers } of images(layout, root, options)) ledger.claim(layers);
      } catch (error) {
        if (!isUnreadable(error)) throw error;
      }
    }
    return base;
  }

  async holds(layer: Layer): Promise<boolean> {
    return (await this.#held.among([layer])).length > 0;
  }

  annotationsFor(): Record<string, string> {
    return {};
  }
}

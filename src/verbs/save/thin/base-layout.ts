import type { ImagePlace, StoredImage } from '../../../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../../../content/source.ts';
import { HeldLayers } from '../../../image/holdings.ts';
import { images, isUnreadable } from '../../../image/image.ts';
import type { Layer } from '../../../image/layer.ts';
import type { Ledger } from '../../../image/ledger.ts';
import { omittedBlobs } from '../../../image/omitted-layers.ts';
import { pairOf } from '../../../image/proven.ts';
import { BASE_DIGEST, BASE_NAME } from '../../../oci/annotations.ts';
import type { Base } from './base.ts';

/**
 * A layout that will be present when the saved one is read. It is at hand: its layers are proven before they count.
 * Layers that it omits itself are read where it says.
 */
export class BaseLayout implements Base {
  readonly source: ContentSource;
  readonly #held: HeldLayers;
  /** Pairs that the layout omits, with its annotations about their place. */
  readonly #omitted = new Map<string, Record<string, string>>();

  private constructor(layout: ContentSource, options: ContentOptions) {
    this.source = layout;
    this.#held = new HeldLayers(layout, options);
  }

  /** Reads the documents of all images. A damaged one claims nothing. */
  static async open(layout: ImagePlace, ledger: Ledger, options: ContentOptions = {}): Promise<BaseLayout> {
    const base = new BaseLayout(layout, options);
    for (const image of await layout.images(options)) {
      try {
        await base.#learn(image, ledger, options);
      } catch (error) {
        if (!isUnreadable(error)) throw error;
      }
    }
    return base;
  }

  async holds(layer: Layer, options?: ContentOptions): Promise<boolean> {
    if ((await this.#held.among([layer])).length > 0) return true;
    return this.#omitted.has(pairOf(layer)) && !(await this.source.has(layer.blob, options));
  }

  annotationsFor(omitted: readonly Layer[]): Record<string, string> {
    const said = omitted.map((layer) => this.#omitted.get(pairOf(layer)));
    return said.find((annotations) => annotations !== undefined) ?? {};
  }

  async #learn(image: StoredImage, ledger: Ledger, options: ContentOptions): Promise<void> {
    const { [BASE_NAME]: name, [BASE_DIGEST]: digest } = image.annotations;
    const said = { ...(name && { [BASE_NAME]: name }), ...(digest && { [BASE_DIGEST]: digest }) };
    for await (const { manifest, layers } of images(this.source, image.root, options)) {
      ledger.claim(layers);
      const blobs = omittedBlobs(manifest.value.layers, image);
      for (const layer of layers) if (blobs.has(layer.blob.digest)) this.#omitted.set(pairOf(layer), said);
    }
  }
}

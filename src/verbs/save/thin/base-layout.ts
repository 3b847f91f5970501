import type { ImageIndex, StoredImage } from '../../../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../../../content/source.ts';
import { isDrayageError, isMismatch, isUnusable } from '../../../errors.ts';
import { images } from '../../../image/image.ts';
import type { Layer } from '../../../image/layer.ts';
import type { VerifiableSource } from '../../../layout/local-first.ts';
import { BASE_DIGEST, BASE_NAME } from '../../../oci/annotations.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import { omittedBlobs, omittedLayers } from '../../../image/omitted-layers.ts';
import type { LayerBase } from './layer-base.ts';

/** A layout that is there where the one is read that is saved against it. */
export type BaseLayout = VerifiableSource & ImageIndex;

/**
 * The layers of a layout's images. A blob is hashed before it counts; what the layout leaves out itself can be had wherever
 * that says.
 */
export class LayoutBase implements LayerBase {
  readonly source: ContentSource;
  readonly #layout: BaseLayout;
  readonly #byDiffId = new Map<Digest, Layer[]>();
  readonly #byBlob = new Map<Digest, Layer>();
  /** Blobs that the layout leaves out, with what it says of where they are. */
  readonly #omitted = new Map<Digest, Record<string, string>>();
  readonly #intact = new Map<Digest, Promise<boolean>>();

  private constructor(layout: BaseLayout) {
    this.#layout = layout;
    this.source = layout;
  }

  /** Reads the documents of all images. One that is damaged teaches nothing. */
  static async open(layout: BaseLayout, options: ContentOptions = {}): Promise<LayoutBase> {
    const base = new LayoutBase(layout);
    for (const image of await layout.images(options)) await base.#learn(image, options);
    return base;
  }

  async findLayer(diffId: Digest, options?: ContentOptions): Promise<Descriptor | undefined> {
    for (const { blob } of this.#byDiffId.get(diffId) ?? [])
      if (await this.#isThere(blob, options)) return blob;
    return undefined;
  }

  async findBlob(digest: Digest, options?: ContentOptions): Promise<Layer | undefined> {
    const layer = this.#byBlob.get(digest);
    return layer !== undefined && (await this.#isThere(layer.blob, options)) ? layer : undefined;
  }

  annotationsFor(omitted: ReadonlySet<Digest>): Record<string, string> {
    for (const digest of omitted) {
      const said = this.#omitted.get(digest);
      if (said !== undefined) return said;
    }
    return {};
  }

  async #learn({ root, annotations }: StoredImage, options: ContentOptions): Promise<void> {
    try {
      const omitted = omittedLayers(annotations, root.digest);
      const { [BASE_NAME]: name, [BASE_DIGEST]: digest } = annotations;
      const said = { ...(name && { [BASE_NAME]: name }), ...(digest && { [BASE_DIGEST]: digest }) };
      for await (const { manifest, layers } of images(this.#layout, root, options)) {
        for (const blob of omittedBlobs(manifest.value.layers, omitted)) this.#omitted.set(blob, said);
        for (const layer of layers) {
          this.#byBlob.set(layer.blob.digest, layer);
          this.#byDiffId.set(layer.diffId, [...(this.#byDiffId.get(layer.diffId) ?? []), layer]);
        }
      }
    } catch (error) {
      if (!isUnusable(error) && !isDrayageError(error, 'LIMIT')) throw error;
    }
  }

  async #isThere(blob: Descriptor, options?: ContentOptions): Promise<boolean> {
    const known = this.#intact.get(blob.digest) ?? this.#check(blob, options);
    this.#intact.set(blob.digest, known);
    return known;
  }

  async #check(blob: Descriptor, options?: ContentOptions): Promise<boolean> {
    try {
      await this.#layout.verifyBlob(blob, options);
      return true;
    } catch (error) {
      if (isDrayageError(error, 'NOT_FOUND')) return this.#omitted.has(blob.digest);
      if (isMismatch(error)) return false;
      throw error;
    }
  }
}

import type { ImageEndpoint, LastingEndpoint } from '../content/endpoint.ts';
import type { StoredImage } from '../content/image-index.ts';
import { nameOf } from '../content/image-index.ts';
import type { ContentOptions } from '../content/source.ts';
import type { ImageStore } from '../content/store.ts';
import type { ImageReference } from '../image/reference.ts';
import { assertReferred } from '../image/referred-image.ts';
import { tagOfSaver } from '../listing/unique-reference.ts';
import type { OnProgress } from '../progress.ts';
import { save } from './save/save.ts';

/** Options of {@link takeReferred}. */
export interface TakeReferredOptions extends ContentOptions {
  /** The daemon that has the image. */
  from: ImageEndpoint & LastingEndpoint;
  reference: ImageReference;
  /** The reference's entry in its layout: the image gets its names and annotations. */
  image: StoredImage;
  /** An empty store, which gets the image with its layers. */
  to: ImageStore;
  onProgress?: OnProgress | undefined;
}

/**
 * Takes the image of a reference out of its daemon, with its layers: a save, which proves each of them.
 * @throws {@link DrayageError} `UNREACHABLE` for another daemon, or if the image is gone; as {@link save}
 * @example
 * ```ts
 * import { MemoryStore, promote, takeReferred } from 'drayage';
 *
 * await promote({
 *   from: [references],
 *   promotions: [{ to: [`${registryHost}/group/app:1`] }],
 *   registries,
 *   openReference: async (reference, image) => {
 *     const to = new MemoryStore();
 *     await takeReferred({ from: daemon, reference, image, to });
 *     return to;
 *   },
 * });
 * ```
 */
export async function takeReferred(options: TakeReferredOptions): Promise<void> {
  const { from, reference, image, to, signal, onProgress } = options;
  const tag = tagOfSaver(image, reference.id);
  await assertReferred({ name: nameOf(image), tag }, reference, from, { signal });
  await save({
    from,
    images: [reference.image],
    names: new Map([[reference.image, image.names]]),
    annotations: image.annotations,
    to,
    signal,
    onProgress,
  });
}

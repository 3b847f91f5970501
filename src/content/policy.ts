import type { ImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { ContentOptions } from './source.ts';
import type { ImagePlace, StoredImage } from './image-index.ts';

/** Which images of a place may be used. */
export interface ImagePolicy {
  /**
   * Chooses among images by what their place says of them, before anything else is read.
   * @param note hears why an image is left out, in one line
   * @throws {@link DrayageError} `POLICY` where none may be used
   */
  choose(images: readonly StoredImage[], note: (message: string) => void): StoredImage[];
  /**
   * Looks at an image that was chosen, before its first layer is read.
   * @throws {@link DrayageError} `POLICY`
   */
  check(image: StoredImage, config: ImageConfig): void;
}

/**
 * Looks at who made an image, before anything of it is used.
 * @param place holds the image and what refers to it
 * @returns the referrers that vouch for it
 * @throws {@link DrayageError} `POLICY` where that is not shown
 */
export type Authenticate = (
  image: StoredImage,
  place: ImagePlace,
  options?: ContentOptions,
) => Promise<readonly Descriptor[]>;

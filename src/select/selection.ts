import type { PlacedImage } from '../content/image-index.ts';
import type { Authenticate, ImagePolicy } from '../content/policy.ts';
import type { ContentOptions } from '../content/source.ts';
import type { Image } from '../image/image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Platform } from '../oci/platform.ts';
import type { OnProgress } from '../progress.ts';

/** Which images are meant, and what is asked of each before its first layer is read. */
export interface Selection extends ContentOptions {
  /** Names or digests; default: all images. */
  images?: readonly string[] | undefined;
  /** Of each multi-platform image only the one for this platform; default: all of it. */
  platform?: Platform | undefined;
  /** Which images may be used; default: all. */
  policy?: ImagePolicy | undefined;
  /** Asks who made each image, under the names that it has in its place. Default: nobody asks. */
  authenticate?: Authenticate | undefined;
  /** The name of the one image that is chosen, in place of those that it has. Default: it keeps them. */
  as?: string | undefined;
  /** Hears, as notes, which images are passed over and why. */
  onProgress?: OnProgress | undefined;
}

/** An image that was chosen and read. */
export interface SelectedImage extends PlacedImage {
  /** What is meant: the image's root, or the manifest for the platform that was asked for. */
  root: Descriptor;
  /** The images that `root` leads to, in the order of its index. */
  read: readonly [Image, ...Image[]];
  /** The referrers that vouch for it; undefined where nobody asked who made it. */
  vouchers?: readonly Descriptor[] | undefined;
}

import type { PlacedImage } from '../content/image-index.ts';
import type { Authenticate, ImagePolicy, Voucher } from '../content/policy.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { Image } from '../image/image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { PlatformOption } from '../oci/platform.ts';
import type { OnProgress } from '../progress.ts';

/** Which images are meant, and what is checked of each before its first layer is read. */
export interface Selection extends ContentOptions, PlatformOption {
  /** Names or digests; default: all images. */
  images?: readonly string[] | undefined;
  /** Which images may be used; default: all. */
  policy?: ImagePolicy | undefined;
  /** Checks who made each image, under its names in its place. Default: no check. */
  authenticate?: Authenticate | undefined;
  /** A name for the one selected image, instead of its own. Default: it keeps them. */
  as?: string | undefined;
  /** Receives notes about skipped images and the reason. */
  onProgress?: OnProgress | undefined;
}

/** An image that was selected and read. */
export interface SelectedImage extends PlacedImage {
  /** The image's root, or the manifest for the requested platform. */
  root: Descriptor;
  /** The images below `root`, in the order of its index. */
  read: readonly [Image, ...Image[]];
  /** The content of its place, where each document is read once. */
  content: ContentSource;
  /** The referrers that vouch for it; undefined if signatures were not checked. */
  vouchers?: readonly Voucher[] | undefined;
}

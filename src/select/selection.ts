import { layersOfAll } from '../content/layer.ts';
import type { PlacedImage } from '../content/image-index.ts';
import type { Authenticate, ImagePolicy, Voucher } from '../content/policy.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { Image } from '../image/image.ts';
import type { ImageReference } from '../image/reference.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
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

/** What was selected, whether its layers are in its place or not. */
interface SelectedRoot extends PlacedImage {
  /** The image's root, or the manifest for the requested platform. */
  root: Descriptor;
  /** The content of its place, where each document is read once. */
  content: ContentSource;
  /** The referrers that vouch for it; undefined if signatures were not checked. */
  vouchers?: readonly Voucher[] | undefined;
}

/** An image that was selected and read. */
export interface SelectedImage extends SelectedRoot {
  /** The images below `root`, in the order of its index. */
  read: readonly [Image, ...Image[]];
}

/** A reference that was selected and read: its image stays in a daemon. */
export interface SelectedReference extends SelectedRoot {
  reference: ImageReference;
}

/** An image, or a reference to one. */
export type Selected = SelectedImage | SelectedReference;

/** Whether the image stays in a daemon. */
export function isReferred(selected: Selected): selected is SelectedReference {
  return 'reference' in selected;
}

/** The config digest: for a multi-platform image that of its first image. */
export function configDigestOf(selected: Selected): Digest {
  return isReferred(selected) ? selected.reference.id : selected.read[0].config.descriptor.digest;
}

/** The blobs of all layers of an image, for each platform. */
export function blobsOfLayers({ read }: Pick<SelectedImage, 'read'>): Descriptor[] {
  return layersOfAll(read.map(({ layers }) => layers)).map(({ blob }) => blob);
}

import type { ImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { ContentOptions } from './source.ts';
import type { ImagePlace, StoredImage } from './image-index.ts';

/** Which images of a place may be used. */
export interface ImagePolicy {
  /**
   * Chooses images by the annotations of their place, before anything else is read.
   * @param note gets one line for each refused image
   * @throws {@link DrayageError} `POLICY` if no image may be used
   */
  choose(images: readonly StoredImage[], note: (message: string) => void): StoredImage[];
  /**
   * Checks a chosen image before its first layer is read.
   * @throws {@link DrayageError} `POLICY`
   */
  check(image: StoredImage, config: ImageConfig): void;
}

/** What is signed about an image. It outranks what its place states. */
export interface SignedFacts {
  /** The signed origin, as annotations. Empty if the signature states no job that is known here. */
  origin: Readonly<Record<string, string>>;
  /** The names of the image when it was signed; null if no name is covered. */
  names: readonly string[] | null;
  /** Blobs of layers that the signer has not read: a base states them, or they are non-distributable and were absent. */
  unreadLayers: readonly Digest[];
  /** Whether the signer has read layers at all. A signature of a reference, or of another tool, proves none. */
  layersRead: boolean;
}

/** A referrer that vouches for an image. */
export interface Voucher extends Descriptor {
  /** Undefined if nothing is known about what it states. */
  signed?: SignedFacts | undefined;
}

/**
 * Checks who made an image, before any of its content is used.
 * @param place holds the image and its referrers
 * @returns the referrers that vouch for it
 * @throws {@link DrayageError} `POLICY` if nothing proves it
 */
export type Authenticate = (
  image: StoredImage,
  place: ImagePlace,
  options?: ContentOptions,
) => Promise<readonly Voucher[]>;

import type { Descriptor } from '../oci/descriptor.ts';
import type { Platform } from '../oci/platform.ts';
import type { ContentOptions, ContentSource } from './source.ts';

/** An image in an {@link ImageIndex}: its root, and the names it goes by. */
export interface StoredImage {
  /** The manifest, or the image index of a multi-platform image. */
  root: Descriptor;
  /** Familiar references, `temp:latest`; none where the image has no name. */
  names: string[];
  annotations: Record<string, string>;
  /** The bare word of another tool by which it was asked for; only where it was. */
  foundAs?: string | undefined;
}

/** The images of a place, by name. */
export interface ImageIndex {
  /** All images, in the order in which they were added. */
  images(options?: ContentOptions): Promise<StoredImage[]>;
  /**
   * Finds one image by name, digest (of its root or its config, also shortened) or by unique tag.
   * @param options `platform` says which one, where several have the name
   * @throws {@link DrayageError} `NOT_FOUND` with the names that exist, `AMBIGUOUS`
   */
  resolve(
    reference: string,
    options?: ContentOptions & { platform?: Platform | undefined },
  ): Promise<StoredImage>;
  /** What refers to this content by `subject`: signatures, SBOMs. */
  referrers(descriptor: Descriptor, options?: ContentOptions): Promise<Descriptor[]>;
}

/** A place that holds images and their content: a layout, an artifact, a repository. */
export type ImagePlace = ContentSource & ImageIndex;

/** An image and the place that holds it. */
export interface PlacedImage {
  place: ImagePlace;
  image: StoredImage;
}

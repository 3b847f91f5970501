import type { Descriptor } from '../oci/descriptor.ts';
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

/** What a reference means: one image, or all that share a name, each for a platform of its own. */
export type ResolvedImages = [StoredImage, ...StoredImage[]];

/** The images of a place, by name. */
export interface ImageIndex {
  /** All images, in the order in which they were added. */
  images(options?: ContentOptions): Promise<StoredImage[]>;
  /**
   * Finds what a name, a digest (of a root or a config, also shortened) or a unique tag means. A registry is asked for that
   * alone: it does not list its images.
   * @throws {@link DrayageError} `NOT_FOUND` with the names that exist; `AMBIGUOUS` where anything but a name fits several
   */
  resolve(reference: string, options?: ContentOptions): Promise<ResolvedImages>;
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

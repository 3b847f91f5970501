import type { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { OnProgress } from '../progress.ts';
import { NO_NAME } from '../text/no-name.ts';
import type { ContentOptions, ContentSource } from './source.ts';

/** An image in an {@link ImageIndex}: its root and its names. */
export interface StoredImage {
  /** The manifest, or the image index of a multi-platform image. */
  root: Descriptor;
  /** Familiar references, `temp:latest`; empty for an unnamed image. */
  names: string[];
  annotations: Record<string, string>;
  /** Other tools' words for it, by which it was requested. */
  foundAs?: readonly string[] | undefined;
}

/** What finds an image: its name, the word by which it was requested, or its digest. */
export function referenceTo({ names, foundAs, root }: Omit<StoredImage, 'annotations'>): string {
  return names[0] ?? foundAs?.[0] ?? root.digest;
}

/** What messages call an image: what finds it; before a digest, that it has no name. */
export function nameOf(image: Omit<StoredImage, 'annotations'>): string {
  const reference = referenceTo(image);
  return reference === image.root.digest ? `${NO_NAME} ${reference}` : reference;
}

/** What is told about the entries of an index.json. */
export interface EntriesOptions extends ContentOptions {
  /** Gets a note for each entry that is skipped, and for each that has two names. */
  onProgress?: OnProgress | undefined;
  /** Gets an error for each entry that names content and cannot be read. Default: such an entry is skipped. */
  onDamaged?: ((error: DrayageError) => void) | undefined;
}

/** Options of {@link ImageIndex.images} and {@link ImageIndex.resolve}. */
export interface ListOptions extends EntriesOptions {
  /** Whether `images` lists references to images in daemons, too, whose layers are not here. Default false. */
  references?: boolean | undefined;
  /**
   * Whether only documents decide what is an image. What entries state beside their content may come from anybody: then it
   * hides none. Default false.
   */
  byContent?: boolean | undefined;
}

/** The images of a reference: one image, or all images that share a name, each for its own platform. */
export type ResolvedImages = [StoredImage, ...StoredImage[]];

/** The images of a place, by name. */
export interface ImageIndex {
  /** All images, in the order in which they were added. */
  images(options?: ListOptions): Promise<StoredImage[]>;
  /** Whether it is only asked for single names, as a registry: listing all images would take too many requests. */
  readonly asksByName?: boolean | undefined;
  /**
   * Resolves a name, a digest (of a root or a config, also shortened) or a unique tag. A registry gets only this
   * request: its images are not listed.
   * @throws {@link DrayageError} `NOT_FOUND` with the existing names; `AMBIGUOUS` if something other than a name fits
   * several images
   */
  resolve(reference: string, options?: ListOptions): Promise<ResolvedImages>;
  /** The manifests that refer to this content by `subject`: signatures, SBOMs. */
  referrers(descriptor: Descriptor, options?: ContentOptions): Promise<Descriptor[]>;
  /**
   * The digests of all content that has referrers here, so that `referrers` is not called for any other. What overrides
   * `referrers` overrides this too. Default: undefined, which says nothing.
   */
  subjects?(options?: ContentOptions): Promise<ReadonlySet<Digest> | undefined>;
}

/** A place that holds images and their content: a layout, an artifact, a repository. */
export type ImagePlace = ContentSource & ImageIndex;

/** An image and the place that holds it. */
export interface PlacedImage {
  place: ImagePlace;
  image: StoredImage;
}

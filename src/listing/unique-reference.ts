import type { StoredImage } from '../content/image-index.ts';
import { originOf } from '../ci/origin.ts';
import type { Digest } from '../oci/digest.ts';
import { shortDigest } from '../oci/digest.ts';
import { isIndexType } from '../oci/media-types.ts';
import { familiarRepository, parseReference } from '../oci/reference.ts';

/** The repository in the unique tag of an unnamed image. */
const NAMELESS = 'drayage';

/**
 * The unique tag of this image and pipeline: `<repo>:pipeline-<pipeline id>-<12 hex>`, or `<repo>:drayage-<12 hex>` if
 * no pipeline saved it. The hex is from the config digest; for an index, which has no single config, from its own
 * digest.
 */
export function uniqueReference(image: StoredImage, configDigest: Digest): string {
  const digest = isIndexType(image.root.mediaType) ? image.root.digest : configDigest;
  return `${uniqueTagWithoutHex(image, image.names[0])}${shortDigest(digest)}`;
}

/**
 * The tag, without the repository, that the job which saved a reference has given the image; undefined if no job saved it.
 * A job that takes the reference under another name still finds it.
 */
export function tagOfSaver(image: StoredImage, configDigest: Digest): string | undefined {
  if (originOf(image.annotations).pipelineId === undefined) return undefined;
  return uniqueReference(image, configDigest).split(':').at(-1);
}

/** Which image it is, in any result. */
export interface ImageIdentity {
  /** The first of its names; null if it has none. */
  name: string | null;
  /** Its unique tag when it is loaded. */
  ref: string;
  /** The config digest; for a multi-platform image that of one of its images. */
  id: Digest;
  /** The manifest's digest, or the index's. */
  digest: Digest;
}

/** An image before it is stored or loaded, with all its names. */
export interface PlannedIdentity extends ImageIdentity {
  names: readonly string[];
}

/** Called with all images that a verb is about to store or load. An error that it throws stops the verb: nothing changes. */
export type OnPlanned = (images: readonly PlannedIdentity[]) => void | Promise<void>;

/** Identifies an image whose config has this digest. */
export function identify(image: StoredImage, id: Digest): ImageIdentity {
  return { name: image.names[0] ?? null, ref: uniqueReference(image, id), id, digest: image.root.digest };
}

/** The hex at the end of a possible unique tag. */
export function uniqueHex(reference: string): string | undefined {
  return /:(?:pipeline-\d{1,20}|drayage)-([0-9a-f]{12})$/.exec(reference)?.[1];
}

/** Whether a reference that ends with the hex of an image's digest, see {@link uniqueHex}, is the unique tag of that image. */
export function isUniqueReference(reference: string, image: StoredImage): boolean {
  const names = image.names.length === 0 ? [undefined] : image.names;
  return names.some((name) => reference.slice(0, -12) === uniqueTagWithoutHex(image, name));
}

function uniqueTagWithoutHex({ annotations }: StoredImage, name: string | undefined): string {
  const repository = name === undefined ? NAMELESS : familiarRepository(parseReference(name));
  const { pipelineId = '' } = originOf(annotations);
  const origin = /^\d{1,20}$/.test(pipelineId) ? `pipeline-${pipelineId}` : 'drayage';
  return `${repository}:${origin}-`;
}

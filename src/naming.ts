import type { StoredImage } from './content.ts';
import { GITLAB_PREFIX } from './oci/annotations.ts';
import type { Digest } from './oci/digest.ts';
import { shortDigest } from './oci/digest.ts';
import { isIndexType } from './oci/media-types.ts';
import { familiarRepository, parseReference } from './oci/reference.ts';

/** The repository of the unique tag of an image that has no name. */
const NAMELESS = 'drayage';
const PIPELINE_ID = `${GITLAB_PREFIX}pipeline-id`;

/**
 * The tag that only this image of this pipeline gets: `<repo>:pipeline-<pipeline id>-<12 hex>`, or `<repo>:drayage-<12 hex>`
 * where no pipeline saved it. The hex is of the config digest; of an index, which has no single config, of its own.
 */
export function uniqueReference(image: StoredImage, configDigest: Digest, name: string | undefined): string {
  const repository = name === undefined ? NAMELESS : familiarRepository(parseReference(name));
  const pipeline = image.annotations[PIPELINE_ID];
  const origin = pipeline !== undefined && /^\d{1,20}$/.test(pipeline) ? `pipeline-${pipeline}` : 'drayage';
  const digest = isIndexType(image.root.mediaType) ? image.root.digest : configDigest;
  return `${repository}:${origin}-${shortDigest(digest)}`;
}

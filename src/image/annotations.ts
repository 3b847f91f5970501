import type { Digest } from '../oci/digest.ts';

/** How many of the first layers are omitted: another place holds them. */
export const OMITTED_LAYERS = 'dev.drayage.omitted-layers';
/** In which artifacts of earlier jobs further omitted layers are: JSON, see docs/format.md. */
export const BASE_JOBS = 'dev.drayage.base-jobs';
/** Digest of the original index, when only some of its manifests were available. */
export const ORIGINAL_INDEX = 'dev.drayage.original-index';

/** The annotation of a part of an index, which names that index. A whole index has none. */
export function annotatePart(part: Digest, original: Digest): Record<string, string> {
  return part === original ? {} : { [ORIGINAL_INDEX]: original };
}

/** The index that an image is a part of, for the result of a save; nothing for a whole index. */
export function originalIndexes(part: Digest, original: Digest): { originalIndexes?: readonly Digest[] } {
  return part === original ? {} : { originalIndexes: [original] };
}

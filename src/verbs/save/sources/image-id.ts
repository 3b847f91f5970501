import type { Digest } from '../../../oci/digest.ts';
import { digestHex } from '../../../oci/digest.ts';
import { isReference, looksLikeImageId, normalizeName, parseReference } from '../../../oci/reference.ts';

/** Whether `text` is this ID, or how it begins. */
export function isIdOf(text: string, id: Digest): boolean {
  return looksLikeImageId(text) && digestHex(id).startsWith(text.replace(/^sha256:/, ''));
}

/** The familiar name that `text` is; undefined where it is none, or names an image by its digest. */
export function nameOf(text: string): string | undefined {
  const reference = isReference(text) ? parseReference(text) : undefined;
  return reference === undefined || reference.digest !== undefined ? undefined : normalizeName(text);
}

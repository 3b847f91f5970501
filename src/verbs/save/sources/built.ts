import type { ImageIndex, ListOptions, StoredImage } from '../../../content/image-index.ts';
import type { ContentOptions } from '../../../content/source.ts';
import type { ProgressEvent } from '../../../progress.ts';
import { DrayageError, isDrayageError } from '../../../errors.ts';
import type { Digest } from '../../../oci/digest.ts';
import { namesAmong } from '../../../oci/reference.ts';

/** An image that a build made, as the builder's metadata describe it. */
export interface BuiltImage {
  /** The digests by which a place may know it, the likeliest first: of its index or manifest, of its config. */
  digests: readonly Digest[];
  /** The names that the build gave it. */
  names: readonly string[];
}

/** Finds an image of a place by a name or a digest; undefined if the place has none. */
export async function findImage(
  place: Pick<ImageIndex, 'resolve'>,
  text: string,
  options: ContentOptions,
): Promise<readonly StoredImage[] | undefined> {
  try {
    return await place.resolve(text, options);
  } catch (error) {
    if (isDrayageError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/**
 * Finds built images in an archive or a layout.
 * @returns the names of each, by the digest of its root there
 * @throws {@link DrayageError} `NOT_FOUND` if the place does not have one of them
 */
export async function findBuilt(
  place: Pick<ImageIndex, 'resolve'>,
  built: readonly BuiltImage[],
  { onProgress, ...options }: ListOptions,
): Promise<Map<Digest, string[]>> {
  const found = new Map<Digest, string[]>();
  for (const { digests, names } of built) {
    let root: Digest | undefined;
    for (const digest of digests) root ??= (await findImage(place, digest, options))?.[0]?.root.digest;
    if (root === undefined) throw notBuilt(digests);
    const given = namesAmong(names, (name) => onProgress?.(skipped(name)));
    const all = [...(found.get(root) ?? []), ...given];
    found.set(root, [...new Set(all)]);
  }
  return found;
}

/** The note about a text that a builder calls a name. */
export function skipped(text: string): ProgressEvent {
  const message = `the builder calls the image ${JSON.stringify(text.slice(0, 200))}, which cannot be a name: it is saved without it`;
  return { kind: 'note', message };
}

function notBuilt(digests: readonly Digest[]): DrayageError {
  return new DrayageError('NOT_FOUND', `the source has no image ${digests.join(' or ')}`, {
    hint: 'its builder wrote another image there: build it again, and take the metadata of that build',
  });
}

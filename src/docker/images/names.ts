import { DrayageError } from '../../errors.ts';
import {
  familiarReference,
  familiarRepository,
  isReference,
  normalizeName,
  parseReference,
  readsAsDigest,
  taggedName,
  withDefaultTag,
} from '../../oci/reference.ts';

/**
 * The names of an image as docker shows them, from the names that a daemon reports.
 * @param ownDomain where the daemon keeps its own images; it is removed, as docker has none there
 */
export function familiarNames(
  reported: readonly string[] | null | undefined,
  ownDomain: string | undefined,
): string[] {
  const names = (reported ?? [])
    .filter((text) => taggedName(text) !== undefined)
    .map((name) => familiarName(name, ownDomain));
  return [...new Set(names)];
}

/** The digests of an image in registries, from those that a daemon reports. Some report digests for their own images as well. */
export function registryDigests(
  reported: readonly string[] | null | undefined,
  ownDomain: string | undefined,
): { digests?: string[] } {
  const digests = (reported ?? []).filter((text) => {
    const found = isReference(text) ? parseReference(text) : undefined;
    return found?.digest !== undefined && found.domain !== ownDomain;
  });
  return digests.length === 0 ? {} : { digests };
}

function familiarName(name: string, ownDomain: string | undefined): string {
  const reference = withDefaultTag(parseReference(name));
  if (reference.domain !== ownDomain) return familiarReference(reference);
  const { path, tag } = reference;
  return normalizeName(tag === undefined ? path : `${path}:${tag}`);
}

/** A name that an image can be given. */
export interface TagName {
  /** `temp:latest` */
  name: string;
  /** `temp` */
  repository: string;
  /** `latest` */
  tag: string;
}

/**
 * Parses the name that an image gets; without a tag it is `latest`.
 * @throws {@link DrayageError} `USAGE` if it is not a reference, or names a digest
 */
export function parseTagName(text: string): TagName {
  const reference = withDefaultTag(parseReference(text));
  const { tag, digest } = reference;
  const name = familiarReference(reference);
  if (tag === undefined || digest !== undefined || readsAsDigest(name)) {
    throw new DrayageError('USAGE', `an image cannot be named by a digest: ${JSON.stringify(text)}`, {
      expected: 'a name with a tag, such as temp:latest',
    });
  }
  return { name, repository: familiarRepository(reference), tag };
}

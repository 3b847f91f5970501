import { DrayageError } from '../errors.ts';
import {
  familiarReference,
  familiarRepository,
  isReference,
  normalizeName,
  parseReference,
  withDefaultTag,
} from '../oci/reference.ts';
import type { DaemonKind } from './connect/kind.ts';

/**
 * The names of an image as docker shows them, from the names that a daemon of this kind reports. Podman keeps its own
 * images under `localhost/`, where docker has no prefix: it is removed.
 */
export function familiarNames(kind: DaemonKind, reported: readonly string[] | null | undefined): string[] {
  const names = (reported ?? []).filter(isReference).map((name) => familiarName(kind, name));
  return [...new Set(names)];
}

/** The digests of an image in registries, from those that a daemon of this kind reports. */
export function registryDigests(
  kind: DaemonKind,
  reported: readonly string[] | null | undefined,
): { digests?: string[] } {
  const digests = (reported ?? []).filter((text) => {
    const found = isReference(text) ? parseReference(text) : undefined;
    // Podman reports digests for its own images as well.
    return found?.digest !== undefined && !(kind === 'podman' && found.domain === 'localhost');
  });
  return digests.length === 0 ? {} : { digests };
}

function familiarName(kind: DaemonKind, name: string): string {
  const reference = withDefaultTag(parseReference(name));
  if (kind !== 'podman' || reference.domain !== 'localhost') return familiarReference(reference);
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
  if (tag === undefined || digest !== undefined) {
    throw new DrayageError('USAGE', `an image cannot be named by a digest: ${JSON.stringify(text)}`, {
      expected: 'a name with a tag, such as temp:latest',
    });
  }
  return { name: familiarReference(reference), repository: familiarRepository(reference), tag };
}

import { DrayageError } from '../errors.ts';
import { IMAGE_NAME, REF_NAME } from '../oci/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import {
  familiarReference,
  isReference,
  normalizedReference,
  normalizeName,
  parseReference,
  withDefaultTag,
} from '../oci/reference.ts';

/**
 * The name under which an entry of index.json is known to docker, in familiar form, `temp:latest`.
 *
 * `io.containerd.image.name` says it where it holds a reference. Else `org.opencontainers.image.ref.name` does where it
 * names a repository, by a `:` or a `/`: `temp:latest`, `localhost/temp`. A bare word there (`latest`, `app-1`; skopeo,
 * umoci and buildx write such) names no image to docker: see {@link foreignReference}.
 * @throws {@link DrayageError} `MALFORMED` where the two name different images
 */
export function entryName(entry: Descriptor): string | undefined {
  const containerd = taggedName(entry.annotations?.[IMAGE_NAME]);
  const text = entry.annotations?.[REF_NAME];
  const own = text !== undefined && /[:/]/.test(text) ? taggedName(text) : undefined;
  if (containerd !== undefined && own !== undefined && containerd !== own) {
    throw new DrayageError('MALFORMED', `index.json names ${entry.digest} both ${containerd} and ${own}`, {
      expected: containerd,
      actual: own,
      digest: entry.digest,
    });
  }
  return containerd ?? own;
}

/** What another tool calls an entry that has no name: `latest`. Such a text finds the entry, but docker never sees it. */
export function foreignReference(entry: Descriptor): string | undefined {
  return entryName(entry) === undefined ? entry.annotations?.[REF_NAME] : undefined;
}

/**
 * The annotations that give an entry its name.
 * @param name any way to write a name; a missing tag is `latest`
 * @throws {@link DrayageError} `USAGE`
 */
export function nameAnnotations(name: string): Record<string, string> {
  const { digest, ...reference } = withDefaultTag(parseReference(name));
  if (digest !== undefined) throw new DrayageError('USAGE', `a name in a layout has no digest: ${name}`);
  return { [REF_NAME]: familiarReference(reference), [IMAGE_NAME]: normalizedReference(reference) };
}

/** Annotations without those that give a name. */
export function withoutNames(annotations: Record<string, string>): Record<string, string> {
  const { [REF_NAME]: _ref, [IMAGE_NAME]: _name, ...rest } = annotations;
  return rest;
}

function taggedName(text: string | undefined): string | undefined {
  if (text === undefined || !isReference(text)) return undefined;
  const { tag, digest } = parseReference(text);
  // A reference by digest alone is no name that docker could give.
  return tag === undefined && digest !== undefined ? undefined : normalizeName(text.split('@')[0] ?? text);
}

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
 * The name under which docker knows an entry of index.json, in familiar form, `temp:latest`.
 *
 * It is in `io.containerd.image.name`, if that is a reference. Otherwise it is in `org.opencontainers.image.ref.name`,
 * if that contains a `:` or a `/`: `temp:latest`, `localhost/temp`. A bare word there (`latest`, `app-1`; written by
 * skopeo, umoci and buildx) is not a name to docker: see {@link foreignReference}.
 * @throws {@link DrayageError} `MALFORMED` if the two name different images
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

/** What another tool calls an unnamed entry: `latest`. Such a text finds the entry, but docker never sees it. */
export function foreignReference(entry: Descriptor): string | undefined {
  return entryName(entry) === undefined ? entry.annotations?.[REF_NAME] : undefined;
}

/**
 * The annotations that name an entry.
 * @param name in any spelling; a missing tag is `latest`
 * @throws {@link DrayageError} `USAGE`
 */
export function nameAnnotations(name: string): Record<string, string> {
  const { digest, ...reference } = withDefaultTag(parseReference(name));
  if (digest !== undefined) throw new DrayageError('USAGE', `a name in a layout has no digest: ${name}`);
  return { [REF_NAME]: familiarReference(reference), [IMAGE_NAME]: normalizedReference(reference) };
}

/** Annotations without those that name the entry. */
export function withoutNames(annotations: Record<string, string>): Record<string, string> {
  const { [REF_NAME]: _ref, [IMAGE_NAME]: _name, ...rest } = annotations;
  return rest;
}

function taggedName(text: string | undefined): string | undefined {
  if (text === undefined || !isReference(text)) return undefined;
  const { tag, digest } = parseReference(text);
  // docker cannot use a reference by digest alone as a name.
  return tag === undefined && digest !== undefined ? undefined : normalizeName(text.split('@')[0] ?? text);
}

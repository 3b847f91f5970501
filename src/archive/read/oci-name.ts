import { DrayageError, isDrayageError } from '../../errors.ts';
import { IMAGE_NAME, REF_NAME } from '../../oci/annotations.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isReference, normalizeName, parseReference } from '../../oci/reference.ts';
import { INDEX_FILE } from '../../oci/layout.ts';

/**
 * The familiar name that an entry of index.json goes by, if it has one; the same as in a layout. Of
 * `org.opencontainers.image.ref.name` only a full reference is taken: most programs put just a tag there.
 * @throws {@link DrayageError} `MALFORMED` where two annotations give it two names
 */
export function entryReference({ annotations, digest }: Descriptor): string | undefined {
  const name = taggedName(annotations?.[IMAGE_NAME]);
  const ref = annotations?.[REF_NAME];
  const own = ref !== undefined && /[:/]/.test(ref) ? taggedName(ref) : undefined;
  if (name !== undefined && own !== undefined && name !== own) {
    throw new DrayageError('MALFORMED', `${INDEX_FILE} names ${digest} both ${name} and ${own}`, {
      expected: name,
      actual: own,
      digest,
    });
  }
  return name ?? own;
}

/** What another tool calls an entry that has no name, such as `latest`: it finds the image, but is no name of it. */
export function foreignReference(entry: Descriptor): string | undefined {
  return entryReference(entry) === undefined ? entry.annotations?.[REF_NAME] : undefined;
}

/** The same beside a manifest.json, which gives the names: an entry that is named in two ways counts as unnamed. */
export function ownReference(entry: Descriptor): string | undefined {
  try {
    return entryReference(entry);
  } catch (error) {
    if (isDrayageError(error, 'MALFORMED')) return undefined;
    throw error;
  }
}

function taggedName(text: string | undefined): string | undefined {
  if (text === undefined || !isReference(text)) return undefined;
  const { tag, digest } = parseReference(text);
  // docker cannot use a reference by digest alone as a name.
  return tag === undefined && digest !== undefined ? undefined : normalizeName(text.split('@')[0] ?? text);
}

import { DrayageError } from '../errors.ts';
import { IMAGE_NAME, REF_NAME } from '../oci/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import {
  familiarReference,
  familiarRepository,
  isReference,
  normalizedReference,
  normalizeName,
  parseReference,
  readsAsDigest,
  taggedName,
  withDefaultTag,
} from '../oci/reference.ts';

/** The names of an entry of index.json. */
export interface EntryNames {
  /** The name under which docker knows it, in familiar form: `temp:latest`. */
  name?: string;
  /** What another tool calls an unnamed entry: `latest`. Such a text finds the entry, but docker never sees it. */
  foreign?: string;
  /** One line that says that the annotations disagree, or state what is not a name. */
  note?: string;
}

/** The part of an entry that names it. */
interface NamedEntry extends Pick<Descriptor, 'annotations'> {
  digest: string;
}

/**
 * Reads the names of an entry of index.json.
 *
 * The name is in `io.containerd.image.name`, if that is a reference. Otherwise it is in
 * `org.opencontainers.image.ref.name`, if that contains a `:` or a `/`: `temp:latest`, `localhost/temp`. A bare word there
 * (`latest`, `app-1`; written by skopeo, umoci and buildx) is not a name to docker. If both are set, the bare word is the
 * tag. If they disagree, `ref.name` was set last, for example by `umoci tag`: its tag is taken, and containerd's repository.
 */
export function entryNames({ annotations, digest }: NamedEntry): EntryNames {
  const [containerd, text] = [annotations?.[IMAGE_NAME], annotations?.[REF_NAME]];
  const base = nameIn(containerd);
  if (base === undefined) {
    const name = text !== undefined && namesRepository(text) ? nameIn(text) : undefined;
    const unfit = [containerd, text].find((one) => one !== undefined && readsAsDigest(one));
    return {
      name,
      foreign: name === undefined && text !== unfit ? text : undefined,
      ...(unfit !== undefined && { note: `index.json calls ${digest} ${unfit}: that is not a name` }),
    };
  }
  const tag = otherTag(base, text);
  if (tag === undefined) return { name: base };
  const name = `${familiarRepository(parseReference(base))}:${tag}`;
  return { name, note: `index.json calls ${digest} both ${containerd} and ${text}: ${name} is taken` };
}

/** The name of an entry, see {@link entryNames}. */
export function entryName(entry: Descriptor): string | undefined {
  return entryNames(entry).name;
}

/**
 * The annotations that name an entry.
 * @param name in any spelling; a missing tag is `latest`
 * @throws {@link DrayageError} `USAGE`
 */
export function nameAnnotations(name: string): Record<string, string> {
  const { digest, ...reference } = withDefaultTag(parseReference(name));
  const text = familiarReference(reference);
  if (digest !== undefined || readsAsDigest(text))
    throw new DrayageError('USAGE', `a name in a layout has no digest, and must not read as one: ${name}`);
  return { [REF_NAME]: text, [IMAGE_NAME]: normalizedReference(reference) };
}

/** The familiar form of a name; a text that is not a name stays as it is. */
export function familiar(text: string): string {
  try {
    return normalizeName(text);
  } catch {
    return text;
  }
}

/** Annotations without those that name the entry. */
export function withoutNames(annotations: Record<string, string>): Record<string, string> {
  const { [REF_NAME]: _ref, [IMAGE_NAME]: _name, ...rest } = annotations;
  return rest;
}

/** The familiar name in an annotation, without its digest; undefined if the text is not a name, or reads as a digest. */
function nameIn(text: string | undefined): string | undefined {
  if (text === undefined || !isReference(text)) return undefined;
  const { tag, digest } = parseReference(text);
  // docker cannot use a reference by digest alone as a name.
  return tag === undefined && digest !== undefined ? undefined : taggedName(withoutDigest(text));
}

/** The tag in a text that disagrees with a name; undefined if the text is not a tag or agrees. */
function otherTag(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const other = namesRepository(text)
    ? nameIn(text)
    : nameIn(`${familiarRepository(parseReference(name))}:${text}`);
  return other === undefined || other === name ? undefined : parseReference(other).tag;
}

function namesRepository(text: string): boolean {
  return /[:/]/.test(withoutDigest(text));
}

function withoutDigest(text: string): string {
  return text.split('@')[0] ?? text;
}

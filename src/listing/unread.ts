import { DrayageError } from '../errors.ts';
import { IMAGE_NAME, REF_NAME } from '../oci/annotations.ts';
import type { UnreadEntry } from '../oci/image-index.ts';
import { contentNamed, reasonUnread } from '../oci/image-index.ts';
import { INDEX_FILE } from '../oci/layout.ts';
import { isObject } from '../oci/parse.ts';
import { NO_NAME } from '../text/no-name.ts';
import { entryNames, familiar } from './names.ts';

/** Maximum length of a shown text that is not a valid name, in characters. */
const MAX_SHOWN = 200;

/** One line about an entry of an index that is not read. */
export function noteUnread(entry: UnreadEntry, index?: string): string {
  return `${titleOf(entry, index)} is skipped: ${reasonUnread(entry)}`;
}

/** The error for an image that is asked for by what an unread entry states; undefined if there is none. */
export function unreadError(
  unread: readonly UnreadEntry[],
  reference: string,
  place: string,
): DrayageError | undefined {
  const meant = [reference, familiar(reference)];
  const entry = unread.find((one) => stated(one).some((text) => meant.includes(text ?? '')));
  return entry === undefined ? undefined : unreadable(entry, place);
}

/**
 * Reports the entries that name content and cannot be read. They are damaged: an entry of another kind names content that
 * nobody here can find.
 * @returns the others
 */
export function reportDamaged(
  unread: readonly UnreadEntry[],
  place: string,
  onDamaged: (error: DrayageError) => void,
): UnreadEntry[] {
  const others: UnreadEntry[] = [];
  for (const entry of unread) {
    if (contentNamed(entry) === undefined) others.push(entry);
    else onDamaged(unreadable(entry, place));
  }
  return others;
}

function unreadable(entry: UnreadEntry, place: string): DrayageError {
  const message = `${titleOf(entry)} cannot be read in ${place}: index.json: ${reasonUnread(entry)}`;
  return new DrayageError('MALFORMED', message, {
    path: place,
    hint: 'get the layout again, or choose other images by name',
  });
}

function titleOf(entry: UnreadEntry, index = INDEX_FILE): string {
  const [name, digest] = stated(entry);
  return (name ?? (digest && `${NO_NAME} ${digest}`))?.slice(0, MAX_SHOWN) ?? `an entry of ${index}`;
}

/** The name, or another tool's word, and the digest, as far as they are texts. */
function stated(entry: UnreadEntry): [name?: string, digest?: string] {
  const { digest, annotations } = isObject(entry) ? entry : {};
  const texts = isObject(annotations) ? annotations : {};
  const naming = [IMAGE_NAME, REF_NAME].map((key) => [key, textIn(texts[key])]);
  const { name, foreign } = entryNames({ annotations: Object.fromEntries(naming), digest: '' });
  return [name ?? foreign, textIn(digest) || undefined];
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

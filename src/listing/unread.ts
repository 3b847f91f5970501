import { DrayageError } from '../errors.ts';
import type { UnreadEntry } from '../oci/image-index.ts';
import { reasonUnread } from '../oci/image-index.ts';
import { isObject } from '../oci/parse.ts';
import { entryNames, familiar } from './names.ts';

/** How much of a name is shown that is none, in characters. */
const MAX_SHOWN = 200;

/** One line about an entry of index.json that is not read. */
export function noteUnread(entry: UnreadEntry): string {
  return `${titleOf(entry)} is skipped: ${reasonUnread(entry)}`;
}

/** The error for an image that is asked for by what an unread entry states; undefined if there is none. */
export function unreadError(
  unread: readonly UnreadEntry[],
  reference: string,
  place: string,
): DrayageError | undefined {
  const isMeant = (name: string): boolean => name === reference || name === familiar(reference);
  const entry = unread.find((one) => statedNames(one).some(isMeant));
  if (entry === undefined) return undefined;
  const message = `${titleOf(entry)} cannot be read in ${place}: in index.json, ${reasonUnread(entry)}`;
  return new DrayageError('MALFORMED', message, { path: place });
}

function titleOf(entry: UnreadEntry): string {
  return statedNames(entry)[0]?.slice(0, MAX_SHOWN) ?? 'an entry of index.json';
}

/** The name, another tool's word, and the digest, as far as they are texts. */
function statedNames(entry: UnreadEntry): string[] {
  const { digest, annotations } = isObject(entry) ? entry : {};
  const texts = Object.entries(isObject(annotations) ? annotations : {}).flatMap(
    ([key, text]): [string, string][] => (typeof text === 'string' ? [[key, text]] : []),
  );
  const { name, foreign } = entryNames({ annotations: Object.fromEntries(texts), digest: '' });
  return [name, foreign, digest].filter((text): text is string => typeof text === 'string' && text !== '');
}

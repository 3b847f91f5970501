import { DrayageError } from '../../errors.ts';
import { BLOCK } from './header.ts';

/** What files begin with that are often found in place of an archive, and what to do then. */
const KNOWN: readonly (readonly [RegExp, string])[] = [
  [
    /^\s*</,
    'it begins like HTML or XML: a server may have answered with an error page; get the archive again',
  ],
  [
    /^version https:\/\/git-lfs\.github\.com\//,
    'it is a pointer of Git LFS: get the archive with "git lfs pull"',
  ],
  [/^\s*[[{]/, 'it begins like JSON: a server may have answered with an error; get the archive again'],
  [/^PK[^\w\s]{2}/, 'it is a zip: unpack it first'],
];

/** A name that a header may begin with: text without control characters, filled up with NUL. */
// oxlint-disable-next-line no-control-regex -- these are what tells a name from other text
const NAME = /^[^\0-\x1f\x7f]+\0*$/;
const NAME_LENGTH = 100;

/**
 * The error for content whose first block is no tar header.
 * @param head the first bytes, at most a block
 */
export function notTar(head: Uint8Array): DrayageError {
  const text = Buffer.from(head).toString('latin1');
  const hint = KNOWN.find(([begin]) => begin.test(text))?.[1];
  if (head.length >= BLOCK) return new DrayageError('MALFORMED', 'not a tar archive', { hint });
  const couldBeCut = hint === undefined && NAME.test(text.slice(0, NAME_LENGTH));
  const message = `not a tar archive: it has only ${head.length} bytes`;
  return new DrayageError(couldBeCut ? 'TRUNCATED' : 'MALFORMED', message, { hint, actual: head.length });
}

import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { createDigester, digestAlgorithm } from '../oci/digest.ts';

const DAMAGED = 'get it again; if that does not help, make it again';

/** The digest and size to check, from a descriptor. */
export type Expected = Pick<Descriptor, 'digest' | 'size'>;

/**
 * Passes bytes through and fails unless they are exactly what `expected` names. Stops at the first excess byte. The
 * last chunk is passed on when the digest is known to be correct, so a reader that counts bytes never gets all of
 * damaged content.
 * @param what names the content in errors
 * @throws {@link DrayageError} `SIZE_MISMATCH`, `DIGEST_MISMATCH`
 */
export async function* verified(
  bytes: AsyncIterable<Uint8Array>,
  expected: Expected,
  what: string = `blob ${expected.digest}`,
): AsyncGenerator<Uint8Array, void, undefined> {
  const digester = createDigester(digestAlgorithm(expected.digest));
  let last: Uint8Array | undefined;
  for await (const chunk of sized(bytes, expected, what)) {
    if (last !== undefined) yield last;
    digester.update(chunk);
    last = chunk;
  }
  const actual = digester.digest();
  if (actual !== expected.digest) throw digestMismatch(expected, actual, what);
  if (last !== undefined) yield last;
}

/**
 * As {@link verified}, if somebody else computes the digest: checks only the size.
 * @param offset where the bytes begin in the content; sizes in errors are those of the whole
 * @throws {@link DrayageError} `SIZE_MISMATCH`
 */
export async function* sized(
  bytes: AsyncIterable<Uint8Array>,
  expected: Expected,
  what: string,
  offset: number = 0,
): AsyncGenerator<Uint8Array, void, undefined> {
  let size = offset;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > expected.size) throw sizeMismatch(expected, size, what);
    yield chunk;
  }
  if (size !== expected.size) throw sizeMismatch(expected, size, what);
}

/** The error for content with another digest than expected. */
export function digestMismatch(expected: Expected, actual: string, what: string): DrayageError {
  return new DrayageError('DIGEST_MISMATCH', `${what} is damaged: its digest is ${actual}`, {
    expected: expected.digest,
    actual,
    digest: expected.digest,
    hint: DAMAGED,
  });
}

/** The error for content with another size than expected. */
export function sizeMismatch(expected: Expected, actual: number, what: string): DrayageError {
  const found = actual > expected.size ? `more than ${expected.size}` : `only ${actual}`;
  return new DrayageError(
    'SIZE_MISMATCH',
    `${what} is damaged: it has ${found} bytes, not ${expected.size}`,
    {
      expected: expected.size,
      actual,
      digest: expected.digest,
      hint: DAMAGED,
    },
  );
}

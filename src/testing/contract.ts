import assert from 'node:assert/strict';
import { isDrayageError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';

/** One promise of a contract. Any test runner can run it: `for (const { name, run } of cases) test(name, run)`. */
export interface ContractCase {
  /** What holds: a sentence. */
  name: string;
  /** Rejects with an `AssertionError` if it does not hold. */
  run: () => Promise<void>;
}

/** Fails unless `promise` rejects with an error of this code, and about this digest, if one is given. */
export async function rejectsWith(
  code: ErrorCode,
  promise: Promise<unknown>,
  digest?: Digest,
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isDrayageError(error), `a DrayageError was expected, not ${String(error)}`);
    assert.equal(error.code, code);
    if (digest !== undefined) assert.equal(error.facts.digest, digest);
    return true;
  });
}

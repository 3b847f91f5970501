import type { ErrorCode } from '../../index.ts';
import { isDrayageError } from '../../index.ts';
import { callError, wordsOf } from '../error-words.ts';

/**
 * The result of a check.
 *
 * - `ok`
 * - `warn`: a save works; something else does not, or not as well as it could.
 * - `fail`: a save ends here, with `code`.
 */
export type Status = 'ok' | 'warn' | 'fail';

/** One check of what is here. */
export interface Check {
  /** Stable: `daemon`. */
  name: string;
  status: Status;
  message: string;
  hint?: string | undefined;
  /** The error's code, if the check found an error. */
  code?: ErrorCode | undefined;
  /** What was found, for programs. Never a secret. */
  facts: Readonly<Record<string, unknown>>;
}

/** What a check found. */
export type Finding = Omit<Check, 'name' | 'code'>;

/**
 * Makes a check. An error that a command would end with becomes its result.
 * @param failed `fail` if a save would end with that error
 * @param facts what is known also after an error
 */
export async function examine(
  name: string,
  failed: 'warn' | 'fail',
  look: (facts: Record<string, unknown>) => Promise<Finding>,
): Promise<Check> {
  const facts: Record<string, unknown> = {};
  try {
    return { name, ...(await look(facts)) };
  } catch (thrown) {
    const error = callError(thrown);
    if (!isDrayageError(error)) throw error;
    const { code } = error;
    const { message, hint } = wordsOf(error);
    return { name, status: failed, message, ...(hint !== undefined && { hint }), code, facts };
  }
}

import { imageVariables, isDrayageError, parseReference } from '../../index.ts';
import { readAuthority } from '../http.ts';
import { parseAge, parseSize } from '../quantities.ts';

/** What the value of an option must be. */
export type ValueKind = 'size' | 'age' | 'time' | 'reference' | 'variable' | 'authorities';

/** Throws if a value cannot be of its kind. */
const CHECKS: Record<ValueKind, (value: string) => unknown> = {
  size: parseSize,
  age: (value) => parseAge(value),
  time: (value) => parseAge(value, 'a time to wait'),
  reference: parseReference,
  variable: assertVariable,
  authorities: readAuthority,
};

/**
 * Checks the values of options before the command does anything, so that a mistake needs no daemon to be found.
 * @throws {@link DrayageError} `USAGE`; `NOT_FOUND`, `IO`, `MALFORMED` for a file
 */
export async function checkValues(values: readonly (readonly [ValueKind, unknown])[]): Promise<void> {
  for (const [kind, value] of values)
    for (const text of [value].flat()) if (typeof text === 'string') await CHECKS[kind](text);
}

/** `KEY` or `KEY=IMAGE`. Which image that is turns out later. */
function assertVariable(value: string): void {
  try {
    imageVariables([], [value]);
  } catch (error) {
    if (!isDrayageError(error, 'AMBIGUOUS', 'NOT_FOUND')) throw error;
  }
}

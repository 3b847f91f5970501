import { DrayageError } from '../errors.ts';
import type { ImageVariables, Variable } from './variables.ts';

/** The limits of a CI's dotenv report. */
export interface DotenvLimits {
  /** The report must be smaller than this, in bytes. */
  size: number;
  /** The maximum number of variables. */
  variables: number;
}

/** A dotenv report, ready to be written. */
export interface Dotenv {
  text: string;
  /** How many variables were dropped because the report has no room for them. */
  dropped: number;
}

/**
 * Formats variables as a dotenv report: only `KEY=value` lines. If there are too many, the `_DIGEST` variables are
 * dropped first, then the `_ID`s.
 * @throws {@link DrayageError} `LIMIT` if the references alone are too many
 */
export function formatDotenvReport(variables: ImageVariables, limits: DotenvLimits): Dotenv {
  const { references, ids, digests } = variables;
  const choices = [[...references, ...ids, ...digests], [...references, ...ids], references];
  for (const chosen of choices) {
    const text = formatVariables(chosen);
    if (chosen.length > limits.variables || Buffer.byteLength(text) >= limits.size) continue;
    return { text, dropped: references.length + ids.length + digests.length - chosen.length };
  }
  const size = Buffer.byteLength(formatVariables(references));
  throw new DrayageError(
    'LIMIT',
    `${references.length} images make ${size} bytes of variables, more than a dotenv report may hold`,
    {
      expected: `at most ${limits.variables} variables in less than ${limits.size} bytes`,
      actual: references.length,
      reason: 'REPORT_SIZE',
      hint: 'save them in several jobs',
    },
  );
}

/** Formats variables as lines that CIs, docker compose and shells read in the same way. */
export function formatVariables(variables: readonly Variable[]): string {
  return variables.map(({ key, value }) => `${line(key, value)}\n`).join('');
}

/** A CI may expand a `$`, and accepts neither quotes nor several lines. */
function line(key: string, value: string): string {
  if (/^[\w./:@+-]+$/.test(value)) return `${key}=${value}`;
  throw new DrayageError(
    'USAGE',
    `the value of ${key} is not allowed in a dotenv file: ${JSON.stringify(value)}`,
    {
      actual: value,
    },
  );
}

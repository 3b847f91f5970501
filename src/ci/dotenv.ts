import { DrayageError } from '../errors.ts';
import type { ImageVariables, Variable } from './variables.ts';

/** A dotenv report, ready to be written. */
export interface Dotenv {
  text: string;
  /** How many variables were given up because a report of GitLab has no room for them. */
  dropped: number;
}

/** Limits of `artifacts:reports:dotenv` in bytes and variables, as GitLab has them unless an administrator says otherwise. */
const MAX_SIZE = 5120;
const MAX_VARIABLES = 20;

/**
 * Formats variables as GitLab's dotenv report: `KEY=value` lines, nothing else. Where they would be too many for it, the
 * `_DIGEST` variables are left out first, then the `_ID`s.
 * @throws {@link DrayageError} `LIMIT` where the references alone are too many
 */
export function formatDotenvReport({ references, ids, digests }: ImageVariables): Dotenv {
  const choices = [[...references, ...ids, ...digests], [...references, ...ids], references];
  for (const chosen of choices) {
    const text = formatVariables(chosen);
    if (chosen.length > MAX_VARIABLES || Buffer.byteLength(text) >= MAX_SIZE) continue;
    return { text, dropped: references.length + ids.length + digests.length - chosen.length };
  }
  const size = Buffer.byteLength(formatVariables(references));
  throw new DrayageError(
    'LIMIT',
    `${references.length} images make ${size} bytes of variables, more than a dotenv report may hold`,
    {
      expected: `at most ${MAX_VARIABLES} variables in less than ${MAX_SIZE} bytes`,
      actual: references.length,
      reason: 'REPORT_SIZE',
      hint: 'save them in several jobs',
    },
  );
}

/** Formats variables as lines that GitLab, docker compose and shells read alike. */
export function formatVariables(variables: readonly Variable[]): string {
  return variables.map(({ key, value }) => `${line(key, value)}\n`).join('');
}

/** GitLab would expand a `$`, and takes neither quotes nor several lines. */
function line(key: string, value: string): string {
  if (/^[\w./:@+-]+$/.test(value)) return `${key}=${value}`;
  throw new DrayageError(
    'USAGE',
    `the value of ${key} cannot stand in a dotenv file: ${JSON.stringify(value)}`,
    {
      actual: value,
    },
  );
}

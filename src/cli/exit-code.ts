import type { ErrorCode } from '../index.ts';

/** Done. */
export const OK = 0;
/** Anything that has no code of its own. */
export const FAILURE = 1;
/** The request itself is wrong. */
export const USAGE = 2;

const EXIT_CODES: Record<ErrorCode, number> = {
  USAGE,
  AMBIGUOUS: 2,
  UNSAFE: 2,
  UNREACHABLE: 3,
  TIMEOUT: 3,
  LOCKED: 3,
  NOT_FOUND: 4,
  DIGEST_MISMATCH: 4,
  SIZE_MISMATCH: 4,
  TRUNCATED: 4,
  INCOMPLETE: 4,
  MALFORMED: 4,
  LINK: 4,
  POLICY: 5,
  LIMIT: 6,
  UNSUPPORTED: FAILURE,
  DAEMON: FAILURE,
  DENIED: FAILURE,
  REFUSED: FAILURE,
  SIGNING: FAILURE,
  IO: FAILURE,
};

/** From the worst to what a retry may help: refused by policy, over a limit, unsafe, failed, damaged, out of reach. */
const WORST_FIRST = [5, 6, USAGE, FAILURE, 4, 3];

/** The exit code of an error. */
export function exitCodeOf(code: ErrorCode): number {
  return EXIT_CODES[code];
}

/** The exit code of several problems: that of the worst, whatever their order. */
export function worstExitCode(problems: readonly { code: ErrorCode }[]): number {
  const codes = new Set(problems.map(({ code }) => exitCodeOf(code)));
  return WORST_FIRST.find((code) => codes.has(code)) ?? OK;
}

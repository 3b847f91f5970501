/**
 * What went wrong, for programs. Match on this, never on the message.
 *
 * - `USAGE`, `AMBIGUOUS`, `UNSAFE`: the request cannot be carried out as it was made.
 * - `UNREACHABLE`, `TIMEOUT`: something outside did not answer; safe to try again.
 * - `NOT_FOUND`: an image, a blob or a file that was named does not exist.
 * - `DIGEST_MISMATCH`, `SIZE_MISMATCH`: bytes are not what their descriptor (or diffID) says.
 * - `TRUNCATED`, `INCOMPLETE`, `MALFORMED`: an archive, a layout or a document is cut, lacks a part, or breaks its format.
 * - `UNSUPPORTED`: well-formed, but of a kind that is not read here.
 * - `LINK`: a symbolic link stands where a layout must hold a regular file or folder.
 * - `DAEMON`: a daemon answered with an error, or did not do what it reported.
 * - `POLICY`: an expectation about origin was not met.
 * - `LIMIT`: a size limit would be exceeded.
 * - `SIGNING`: a service that certifies, logs or timestamps signatures refused what it was asked for.
 * - `IO`: the file system refused (full disk, permissions).
 * - `LOCKED`: another process holds a layout's lock and did not let go in time.
 */
export type ErrorCode =
  | 'USAGE'
  | 'AMBIGUOUS'
  | 'UNSAFE'
  | 'UNREACHABLE'
  | 'TIMEOUT'
  | 'LOCKED'
  | 'NOT_FOUND'
  | 'DIGEST_MISMATCH'
  | 'SIZE_MISMATCH'
  | 'TRUNCATED'
  | 'INCOMPLETE'
  | 'MALFORMED'
  | 'UNSUPPORTED'
  | 'LINK'
  | 'DAEMON'
  | 'POLICY'
  | 'LIMIT'
  | 'SIGNING'
  | 'IO';

/** The facts behind a {@link DrayageError}, each present only where it is known. */
export interface ErrorFacts {
  /** One line that says what to do next. */
  hint?: string | undefined;
  /** Of a signature that is not accepted, which check failed: stable, like the code. */
  reason?: string | undefined;
  /** What was promised: a digest, a size in bytes, a media type. */
  expected?: string | number | undefined;
  /** What was found instead. */
  actual?: string | number | undefined;
  /** The file or folder concerned. */
  path?: string | undefined;
  /** The archive entry concerned. */
  entry?: string | undefined;
  /** The blob concerned. */
  digest?: string | undefined;
  /** The address concerned, without credentials. */
  url?: string | undefined;
  /** The HTTP status that was answered. */
  status?: number | undefined;
  /** Seconds after which the server wants to be asked again. */
  retryAfter?: number | undefined;
  /** Names that exist and are near to the one asked for. */
  candidates?: string[] | undefined;
  /** The underlying error. */
  cause?: unknown;
}

const RETRYABLE: ReadonlySet<ErrorCode> = new Set(['UNREACHABLE', 'TIMEOUT', 'LOCKED']);

/** The one error class of this library: a stable `code`, a message of one line, and the facts as fields. */
export class DrayageError extends Error {
  /** Stable identification; see {@link ErrorCode}. */
  readonly code: ErrorCode;
  /** The facts, as given by the place that noticed. */
  readonly facts: Readonly<ErrorFacts>;

  /**
   * @param code stable identification
   * @param message what is wrong and where, in one line
   * @param facts what is known beside the message; `facts.cause` becomes the standard `cause`
   */
  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'DrayageError';
    this.code = code;
    this.facts = facts;
  }

  /** What to do next, where that is known. */
  get hint(): string | undefined {
    return this.facts.hint;
  }

  /** Whether the same request may succeed when it is simply made again. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }
}

/** Whether `error` is a {@link DrayageError}, with one of `codes` where some are given. */
export function isDrayageError(error: unknown, ...codes: ErrorCode[]): error is DrayageError {
  return error instanceof DrayageError && (codes.length === 0 || codes.includes(error.code));
}

/**
 * Whether `error` says that bytes are not those which a descriptor or diffID names. What they hold was not looked at.
 */
export function isMismatch(error: unknown): error is DrayageError {
  return isDrayageError(error, 'DIGEST_MISMATCH', 'SIZE_MISMATCH');
}

/** Whether `error` says that content is damaged: other bytes than named, cut, lacking a part, or against its format. */
export function isDamage(error: unknown): error is DrayageError {
  return isMismatch(error) || isDrayageError(error, 'TRUNCATED', 'INCOMPLETE', 'MALFORMED');
}

/** Whether `error` says that content is absent or damaged: another copy of it may serve. */
export function isAbsentOrDamaged(error: unknown): error is DrayageError {
  return isDamage(error) || isDrayageError(error, 'NOT_FOUND');
}

/** Whether `error` is about the content and not about the way to it: absent, damaged, or of a kind that is not read here. */
export function isUnusable(error: unknown): error is DrayageError {
  return isAbsentOrDamaged(error) || isDrayageError(error, 'UNSUPPORTED');
}

/** The code of a Node system error (`ENOENT`, `ECONNREFUSED`), if `error` is one. */
export function systemCode(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

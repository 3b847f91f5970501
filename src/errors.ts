import { isNativeError } from 'node:util/types';

/**
 * What went wrong, for programs. Match on this, never on the message.
 *
 * - `USAGE`, `AMBIGUOUS`, `UNSAFE`: the request cannot be carried out as it is.
 * - `UNREACHABLE`, `TIMEOUT`: something outside did not answer; safe to retry.
 * - `DENIED`: a server requires other credentials (401, 403). `REFUSED`: it does not take the request (400, 405, …).
 * - `NOT_FOUND`: a named image, blob or file does not exist.
 * - `DIGEST_MISMATCH`, `SIZE_MISMATCH`: bytes do not match their descriptor or diffID.
 * - `TRUNCATED`, `INCOMPLETE`, `MALFORMED`: an archive, a layout or a document is cut, lacks a part, or breaks its
 *   format.
 * - `UNSUPPORTED`: well-formed, but of a kind that is not read here.
 * - `LINK`: a link, or something else than a regular file or folder, is where a layout or a cache keeps one.
 * - `DAEMON`: a daemon answered with an error, or did not do what it reported.
 * - `POLICY`: an expectation about origin was not met.
 * - `LIMIT`: a limit would be exceeded.
 * - `SIGNING`: a service that certifies, logs or timestamps signatures refused a request.
 * - `IO`: the file system refused (full disk, permissions).
 * - `LOCKED`: another process holds a layout's lock and did not release it in time.
 */
export type ErrorCode =
  | 'USAGE'
  | 'AMBIGUOUS'
  | 'UNSAFE'
  | 'UNREACHABLE'
  | 'TIMEOUT'
  | 'DENIED'
  | 'REFUSED'
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

/**
 * Why a signature is not accepted; `reason` of a {@link DrayageError} `POLICY`.
 *
 * - the image: `UNSIGNED`, `REFERRER_COUNT`, `REFERRER_DAMAGED`
 * - the bundle, before anything in it is believed: `BUNDLE_SIZE`, `BUNDLE_JSON`, `BUNDLE_DEPTH`, `BUNDLE_SHAPE`,
 *   `BUNDLE_VERSION`, `NO_ENVELOPE`, `SIGNATURE_COUNT`, `LOG_ENTRY_COUNT`, `TIMESTAMP_COUNT`, `CHECKPOINT`
 * - the signer: `KEY_SIGNED` and `CERTIFICATE_SIGNED` if the other was required, `KEY`, `CERTIFICATE`,
 *   `CERTIFICATE_USE`, `CERTIFICATE_EXTENSION`, `ISSUER`, `IDENTITY`, `MERGE_REQUEST`
 * - the evidence: `SIGNATURE`, `TIMESTAMP`, `LOG_MISSING`, `LOG_PROOF`, `LOG_PROMISE`, `LOG_BODY`, `EVIDENCE` if it is
 *   unreadable
 * - the signed document: `PAYLOAD_TYPE`, `STATEMENT`, `STATEMENT_TYPE`, `SUBJECT_COUNT`, `SUBJECT`, `PREDICATE_TYPE`,
 *   `PREDICATE`, `CONTRADICTION` if the statement and its certificate differ
 * - the image's names in its place: `NAME` if one was not signed
 * - the expectations: `SERVER`, `PROJECT`, `COMMIT`, `REF`, `JOB`, `JOB_ID`, `PIPELINE`, `RUNNER_ENVIRONMENT`
 */
export type RefusalReason =
  | 'UNSIGNED'
  | 'REFERRER_COUNT'
  | 'REFERRER_DAMAGED'
  | 'BUNDLE_SIZE'
  | 'BUNDLE_JSON'
  | 'BUNDLE_DEPTH'
  | 'BUNDLE_SHAPE'
  | 'BUNDLE_VERSION'
  | 'NO_ENVELOPE'
  | 'SIGNATURE_COUNT'
  | 'LOG_ENTRY_COUNT'
  | 'TIMESTAMP_COUNT'
  | 'CHECKPOINT'
  | 'KEY_SIGNED'
  | 'CERTIFICATE_SIGNED'
  | 'KEY'
  | 'CERTIFICATE'
  | 'CERTIFICATE_USE'
  | 'CERTIFICATE_EXTENSION'
  | 'ISSUER'
  | 'IDENTITY'
  | 'MERGE_REQUEST'
  | 'SIGNATURE'
  | 'TIMESTAMP'
  | 'LOG_MISSING'
  | 'LOG_PROOF'
  | 'LOG_PROMISE'
  | 'LOG_BODY'
  | 'EVIDENCE'
  | 'PAYLOAD_TYPE'
  | 'STATEMENT'
  | 'STATEMENT_TYPE'
  | 'SUBJECT_COUNT'
  | 'SUBJECT'
  | 'PREDICATE_TYPE'
  | 'PREDICATE'
  | 'CONTRADICTION'
  | 'NAME'
  | 'SERVER'
  | 'PROJECT'
  | 'COMMIT'
  | 'REF'
  | 'JOB'
  | 'JOB_ID'
  | 'PIPELINE'
  | 'RUNNER_ENVIRONMENT'
  | 'OWN_POLICY';

/**
 * Why, if the code alone does not say what to do; for a {@link DrayageError}, or a note among the progress events.
 * Stable, like the code.
 *
 * - which image: `NO_IMAGE_GIVEN`, `NOTHING_NAMED` in the layout of a builder, `SEVERAL_IMAGES` if one is required, `TWO_IMAGES` under one name, `NO_IMAGE` in a
 *   layout
 * - layers: `OMITTED_DIFFER` between the parts of one image, `BASE_UNREACHABLE`,
 *   `BASE_JOB_UNREACHABLE`, `BASE_JOB_DAMAGED`, `BASE_UNOPENED` by this caller, `LAYOUT_SIZE`, `NO_CODEC` in this
 *   runtime, whose best one is `facts.name`
 * - folders: `LOCK_HELD` by another process, `CACHE_OWNER` who is not trusted
 * - the job: `CI_VARIABLE` for one that is absent or malformed
 * - origin, with `facts.accepting`: `OTHER_ORIGIN` than expected; `OTHER_REVISION` in its label; `OTHER_JOB` saved the
 *   image to sign; `UNSEALED` if nothing shows that this job saved it
 * - reports: `REPORT_SIZE`; `VARIABLE_CHOICE` of an image, `VARIABLE_CLASH` of two
 * - promoting: `UNPROTECTED_REF`, `TAG_TAKEN`; in notes `NOT_VOUCHED` for attached documents, `UNREAD_CODEC` by some
 *   receivers
 * - saving: in notes `NO_BASE` of an image in a registry
 * - servers: `UNKNOWN_AUTHORITY` of a certificate; `UNNAMED_HOST` if the job does not name `facts.name`;
 *   `TOKEN_SERVER` if `facts.name` is too near to be one; `NEAR_HOST` if another server leads to it, and only this
 *   job can reach it; `PLAIN_HTTP` if it would be reached without TLS; `IDLE` if it
 *   is silent, or sends next to nothing
 * - GitLab: `TOKEN_MISSING`, `TOKEN_INVALID`, `TOKEN_FORBIDDEN`; `JOB_TOKEN_CANNOT_LIST` and `TOKEN_CANNOT_LIST` the
 *   jobs of a pipeline, `JOB_CHOICE`
 * - the input: `BUDGET` if it needs more than a run may spend, `EXPANSION` if it decompresses to far more than its size
 * - docker: `DAEMON_ADDRESS`
 * - references: `NO_LASTING_DAEMON` to refer to, `UNKNOWN_CONFIG` of an image there, `OTHER_DAEMON` than the one that has
 *   the image, `REFERRED_IMAGE_GONE` there, `REFERENCE_ONLY` if layers are needed
 * - signing: `UNPROVEN_TIME`; `LOG_SERVICE` and `TIMESTAMP_SERVICE` for the one that refused
 */
export type ErrorReason =
  | RefusalReason
  | 'NO_IMAGE_GIVEN'
  | 'NOTHING_NAMED'
  | 'SEVERAL_IMAGES'
  | 'TWO_IMAGES'
  | 'NO_IMAGE'
  | 'OMITTED_DIFFER'
  | 'BASE_UNREACHABLE'
  | 'BASE_JOB_UNREACHABLE'
  | 'BASE_JOB_DAMAGED'
  | 'BASE_UNOPENED'
  | 'BASE_EXPIRES'
  | 'LAYOUT_SIZE'
  | 'LOCK_HELD'
  | 'CACHE_OWNER'
  | 'NO_CODEC'
  | 'CI_VARIABLE'
  | 'OTHER_ORIGIN'
  | 'OTHER_JOB'
  | 'UNSEALED'
  | 'OTHER_REVISION'
  | 'REPORT_SIZE'
  | 'VARIABLE_CHOICE'
  | 'VARIABLE_CLASH'
  | 'UNPROTECTED_REF'
  | 'TAG_TAKEN'
  | 'NOT_VOUCHED'
  | 'UNREAD_CODEC'
  | 'NO_BASE'
  | 'UNKNOWN_AUTHORITY'
  | 'UNNAMED_HOST'
  | 'TOKEN_SERVER'
  | 'PLAIN_HTTP'
  | 'NEAR_HOST'
  | 'IDLE'
  | 'TOKEN_MISSING'
  | 'TOKEN_INVALID'
  | 'TOKEN_FORBIDDEN'
  | 'JOB_TOKEN_CANNOT_LIST'
  | 'TOKEN_CANNOT_LIST'
  | 'JOB_CHOICE'
  | 'BUDGET'
  | 'EXPANSION'
  | 'DAEMON_ADDRESS'
  | 'NO_LASTING_DAEMON'
  | 'UNKNOWN_CONFIG'
  | 'OTHER_DAEMON'
  | 'REFERRED_IMAGE_GONE'
  | 'REFERENCE_ONLY'
  | 'UNPROVEN_TIME'
  | 'LOG_SERVICE'
  | 'TIMESTAMP_SERVICE';

/** The facts behind a {@link DrayageError}, each present only if it is known. */
export interface ErrorFacts {
  /** One line that says what to do next, in words for any caller. */
  hint?: string | undefined;
  /** Why, for callers with their own hints. */
  reason?: ErrorReason | undefined;
  /** For an image that an expectation refuses: the expectations that would have accepted it, by key. */
  accepting?: Readonly<Partial<Record<string, readonly string[] | 'any'>>> | undefined;
  /** The name of what the reason is about: a variable, a codec. */
  name?: string | undefined;
  /** The expected value: a digest, a size in bytes, a media type. */
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
  /** The HTTP status of the answer. */
  status?: number | undefined;
  /** Seconds after which the server accepts the next request. */
  retryAfter?: number | undefined;
  /** Existing names that are near to the requested one. */
  candidates?: string[] | undefined;
  /** The underlying error. */
  cause?: unknown;
}

const RETRYABLE: ReadonlySet<ErrorCode> = new Set(['UNREACHABLE', 'TIMEOUT', 'LOCKED']);

/** Marks the errors of every copy of this library in a process. */
const BRAND = Symbol.for('drayage.error');

/** The one error class of this library: a stable `code`, a message of one line, and the facts as fields. */
export class DrayageError extends Error {
  /** Stable identification; see {@link ErrorCode}. */
  readonly code: ErrorCode;
  /** The facts that are known where the error was noticed. */
  readonly facts: Readonly<ErrorFacts>;

  /**
   * @param code stable identification
   * @param message what is wrong and where, in one line
   * @param facts what is known besides the message; `facts.cause` becomes the standard `cause`
   */
  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'DrayageError';
    this.code = code;
    this.facts = facts;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** What to do next, if that is known. */
  get hint(): string | undefined {
    return this.facts.hint;
  }

  /** Whether the same request may succeed when it is repeated. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }
}

/**
 * Whether `error` is a {@link DrayageError}, with one of `codes` if any are given. Also true for an error of another copy
 * of this library, and of another realm, such as that of a test runner.
 */
export function isDrayageError(error: unknown, ...codes: ErrorCode[]): error is DrayageError {
  return isBranded(error) && (codes.length === 0 || codes.includes(error.code));
}

function isBranded(error: unknown): error is DrayageError {
  return typeof error === 'object' && error !== null && BRAND in error;
}

/**
 * Whether a value is an error. Test runners give a module globals of its own, and Node's errors are none of that
 * `Error`: so `instanceof` does not tell.
 */
export function isError(value: unknown): value is Error {
  return isNativeError(value) || value instanceof Error;
}

/**
 * The error of the work itself, if what it used could not be closed after that: `await using` then reports both failures as
 * one, without a message.
 */
export function firstFailure(error: unknown): unknown {
  return isError(error) && 'suppressed' in error ? firstFailure(error.suppressed) : error;
}

/** Whether `error` says that bytes do not match a descriptor or diffID. Their content was not examined. */
export function isMismatch(error: unknown): error is DrayageError {
  return isDrayageError(error, 'DIGEST_MISMATCH', 'SIZE_MISMATCH');
}

/** Whether `error` says that content is damaged: other bytes than named, cut, incomplete, or malformed. */
export function isDamage(error: unknown): error is DrayageError {
  return isMismatch(error) || isDrayageError(error, 'TRUNCATED', 'INCOMPLETE', 'MALFORMED');
}

/** Whether `error` says that content is absent or damaged: another copy of it may help. */
export function isAbsentOrDamaged(error: unknown): error is DrayageError {
  return isDamage(error) || isDrayageError(error, 'NOT_FOUND');
}

/** Whether `error` is about the content and not about the way to it: absent, damaged, or of a kind that is not read here. */
export function isUnusable(error: unknown): error is DrayageError {
  return isAbsentOrDamaged(error) || isDrayageError(error, 'UNSUPPORTED');
}

/** Anything that was thrown, or a signal's reason, as an error. */
export function asError(reason: unknown): Error {
  return isError(reason) ? reason : new Error(String(reason), { cause: reason });
}

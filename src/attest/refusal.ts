import type { ErrorFacts } from '../errors.ts';
import { DrayageError } from '../errors.ts';

/**
 * Why a signature is not accepted; `reason` of a {@link DrayageError} `POLICY`.
 *
 * - of an image: `UNSIGNED`, `REFERRER_COUNT`, `REFERRER_DAMAGED`
 * - of a bundle before anything in it is believed: `BUNDLE_SIZE`, `BUNDLE_JSON`, `BUNDLE_DEPTH`, `BUNDLE_SHAPE`,
 *   `BUNDLE_VERSION`, `NO_ENVELOPE`, `SIGNATURE_COUNT`, `LOG_ENTRY_COUNT`, `TIMESTAMP_COUNT`, `CHECKPOINT`
 * - of who signed: `KEY_SIGNED` and `CERTIFICATE_SIGNED` where the other was asked for, `KEY`, `CERTIFICATE`,
 *   `CERTIFICATE_USE`, `CERTIFICATE_EXTENSION`, `ISSUER`, `IDENTITY`, `MERGE_REQUEST`
 * - of the evidence: `SIGNATURE`, `TIMESTAMP`, `LOG_MISSING`, `LOG_PROOF`, `LOG_PROMISE`, `LOG_BODY`, `EVIDENCE` for what
 *   cannot be read at all
 * - of what is signed: `PAYLOAD_TYPE`, `STATEMENT`, `STATEMENT_TYPE`, `SUBJECT_COUNT`, `SUBJECT`, `PREDICATE_TYPE`, `PREDICATE`,
 *   `CONTRADICTION` where the statement and its certificate differ
 * - of the image's names in its place: `NAME` where one is none of those that were signed
 * - of what was expected: `SERVER`, `PROJECT`, `COMMIT`, `REF`, `JOB`, `JOB_ID`, `PIPELINE`, `RUNNER_ENVIRONMENT`
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
  | 'RUNNER_ENVIRONMENT';

/** The error for a signature that is not accepted. Texts from outside are cut to a length that a log bears. */
export function refusal(
  reason: RefusalReason,
  message: string,
  facts: Omit<ErrorFacts, 'reason'> = {},
): DrayageError {
  return new DrayageError('POLICY', shortened(message), { ...facts, reason });
}

/** A text from outside, as a message may hold it. */
export function shortened(text: string, length: number = 400): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

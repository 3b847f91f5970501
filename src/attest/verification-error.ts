import { asError, isDrayageError, isError } from '../errors.ts';
import type { RefusalReason } from '../errors.ts';
import { refusal } from './refusal.ts';

/** The meaning of the verifier's codes; an error without a code means unreadable evidence. */
const REASONS: Readonly<Record<string, RefusalReason>> = {
  CERTIFICATE_ERROR: 'CERTIFICATE',
  PUBLIC_KEY_ERROR: 'KEY',
  SIGNATURE_ERROR: 'SIGNATURE',
  TIMESTAMP_ERROR: 'TIMESTAMP',
  TLOG_ERROR: 'LOG_MISSING',
  TLOG_MISSING_INCLUSION_ERROR: 'LOG_MISSING',
  TLOG_INCLUSION_PROOF_ERROR: 'LOG_PROOF',
  TLOG_INCLUSION_PROMISE_ERROR: 'LOG_PROMISE',
  TLOG_BODY_ERROR: 'LOG_BODY',
};

/** Runs foreign code over foreign input: anything that it throws becomes a refusal. */
export function asRefusal<T>(verify: () => T): T {
  try {
    return verify();
  } catch (error) {
    if (isDrayageError(error)) throw error;
    const code = isError(error) && 'code' in error ? String(error.code) : '';
    const why = asError(error).message;
    const isShape = isError(error) && error.name === 'ValidationError';
    const reason = REASONS[code] ?? (isShape || 'fields' in Object(error) ? 'BUNDLE_SHAPE' : 'EVIDENCE');
    throw refusal(reason, `the signature is not valid: ${why}`, { cause: error });
  }
}

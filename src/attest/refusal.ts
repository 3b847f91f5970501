import type { ErrorFacts, RefusalReason } from '../errors.ts';
import { DrayageError } from '../errors.ts';

/** The error for a signature that is not accepted. Texts from outside are shortened for logs. */
export function refusal(
  reason: RefusalReason,
  message: string,
  facts: Omit<ErrorFacts, 'reason'> = {},
): DrayageError {
  return new DrayageError('POLICY', shortened(message), { ...facts, reason });
}

/** A text from outside, shortened for a message. */
export function shortened(text: string, length: number = 400): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

import type { DrayageError } from '../errors.ts';
import { isDrayageError, isError } from '../errors.ts';
import { diskError, systemCode, systemReason } from '../system-error.ts';
import { hintOf } from './hints.ts';

/** An error for people: what is wrong and where, and what to do next. */
export interface ErrorWords {
  message: string;
  hint: string | undefined;
}

/** The words of an error, wherever they are printed. The reason that its cause states is told once. */
export function wordsOf({ message, facts }: DrayageError): ErrorWords {
  const { cause, actual } = facts;
  const code = systemCode(cause);
  // A message has the code of a system error in parentheses, or says in its own words what the code means.
  const texts = [isError(cause) ? cause.message : '', `(${String(actual)})`, `(${code})`];
  const isSaid =
    (code !== undefined && code === actual) || texts.some((text) => text !== '' && message.includes(text));
  const why =
    isError(cause) && !isSaid ? ` (${isOfSystem(cause) ? systemReason(cause) : cause.message})` : '';
  return { message: message + why, hint: hintOf({ ...facts, actual: actual ?? code }) };
}

/**
 * The error for a failed call of the system that nobody has put into words. Returns any other error unchanged.
 */
export function callError(error: unknown): unknown {
  if (isDrayageError(error) || !isOfSystem(error)) return error;
  const path = 'path' in error && typeof error.path === 'string' ? error.path : undefined;
  const call = String(error.syscall);
  return diskError(error, path === undefined ? `${call} failed` : `${call} ${path} failed`, { path });
}

function isOfSystem(error: unknown): error is Error & { syscall: unknown } {
  return isError(error) && 'syscall' in error;
}

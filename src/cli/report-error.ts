import { exitCodeOf, FAILURE, USAGE } from './exit-code.ts';
import type { DrayageError } from '../errors.ts';
import { isDrayageError, isError } from '../errors.ts';
import { callError, wordsOf } from './error-words.ts';
import { hintOf } from './hints.ts';
import { Interruption } from './interruption.ts';
import { tellable, withoutLogin } from '../text/userinfo.ts';

/** The end of a failed run. */
export interface Failure {
  exitCode: number;
  /** Lines for standard error: what is wrong and where, then what to do next. */
  lines: string[];
  /** The document of `--json`. */
  json: { error: Record<string, unknown> };
}

/**
 * The exit code and text of an error.
 * @param command the one that was run, if it is known
 */
export function describeFailure(thrown: unknown, command?: string): Failure {
  const error = callError(interruptionIn(thrown) ?? thrown);
  if (error instanceof Interruption) return plain(error.exitCode, 'INTERRUPTED', error.message);
  if (isCommanderError(error)) {
    // It repeats the value of an option, which may be an address without a scheme.
    const said = error.message.replace(
      /(argument ')([^']*)/,
      (_, before: string, value: string) => before + withoutLogin(value),
    );
    const failure = plain(USAGE, 'USAGE', said.replace(/^error: /, ''));
    return {
      ...failure,
      lines: [...failure.lines, `see drayage ${command === undefined ? '' : `${command} `}--help`],
    };
  }
  if (!isDrayageError(error))
    return plain(FAILURE, 'INTERNAL', isError(error) ? error.message : String(error));
  const { code, retryable } = error;
  const { message, hint } = wordsOf(error);
  return {
    exitCode: exitCodeOf(code),
    lines: [oneLine(message), ...(hint === undefined ? [] : [oneLine(hint)])],
    json: { error: { retryable, ...toJson(error) } },
  };
}

/** An error in the form of `--json`. */
export function toJson({ code, message, facts }: DrayageError): Record<string, unknown> {
  return tellable({ code, message, ...facts, hint: hintOf(facts), cause: undefined });
}

function plain(exitCode: number, code: string, message: string): Failure {
  return {
    exitCode,
    lines: [oneLine(message)],
    json: { error: tellable({ code, message, retryable: false }) },
  };
}

/** Texts from outside may contain line breaks. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

function isCommanderError(error: unknown): error is Error & { code: string } {
  return isError(error) && 'code' in error && String(error.code).startsWith('commander.');
}

/** The signal that ended the run: an aborted call of Node rejects with an error of its own, whose cause is the reason. */
function interruptionIn(error: unknown): Interruption | undefined {
  if (error instanceof Interruption) return error;
  return isError(error) && error.name === 'AbortError' && error.cause instanceof Interruption
    ? error.cause
    : undefined;
}

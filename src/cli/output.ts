import { printable } from '../text/printable.ts';
import { withoutCredentials, withoutUserinfo } from '../text/userinfo.ts';

/** Where text goes: standard output or standard error. */
export interface TextOutput {
  write(text: string): unknown;
  isTTY?: boolean;
  /** The width of a terminal. */
  columns?: number;
}

/**
 * One line of data that may hold anything from outside: non-printable characters are escaped, and no address has credentials. All
 * text leaves the program through this function, `formatMessage` or {@link formatJson}.
 */
export function formatLine(text: string): string {
  return withoutUserinfo(printable(text));
}

/** One line of an error, a note or a state, which may quote a server: hosts without a scheme have no credentials, either. */
function formatMessage(text: string): string {
  return withoutCredentials(printable(text));
}

/** A JSON document on one line, with the same promise as {@link formatLine}. */
export function formatJson(document: unknown): string {
  return printable(
    JSON.stringify(document, (_key, value: unknown) =>
      typeof value === 'string' ? withoutUserinfo(value) : withSafeKeys(value),
    ),
  );
}

/** Keys of annotations and labels come from outside, too. */
function withSafeKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value);
  if (entries.every(([key]) => withoutUserinfo(key) === key)) return value;
  return Object.fromEntries(entries.map(([key, item]): [string, unknown] => [withoutUserinfo(key), item]));
}

/** Writes one line of data. */
export function printLine(output: TextOutput, text: string): void {
  output.write(`${formatLine(text)}\n`);
}

/** Writes one line of an error, a note or a state. */
export function printMessage(output: TextOutput, text: string): void {
  output.write(`${formatMessage(text)}\n`);
}

/** Writes a message in place of a line of {@link printStatus}. */
export function printMessageOver(output: TextOutput, text: string): void {
  output.write(`${output.isTTY === true ? CLEAR : ''}${formatMessage(text)}\n`);
}

/** Writes a JSON document. */
export function printJson(output: TextOutput, document: unknown): void {
  output.write(`${formatJson(document)}\n`);
}

/** Writes a line that the next one replaces. Only for a terminal. */
export function printStatus(output: TextOutput, text: string): void {
  // A line that wraps could not be redrawn.
  output.write(`${CLEAR}${formatMessage(text).slice(0, widthOf(output) - 1)}`);
}

/** The width of a terminal. */
export function widthOf({ columns }: TextOutput): number {
  return columns ?? 80;
}

/** Removes the line of {@link printStatus}. Does nothing unless `output` is a terminal. */
export function clearStatus(output: TextOutput): void {
  if (output.isTTY === true) output.write(CLEAR);
}

/** Writes an error's stack. Its message stays one line: otherwise it could look like further lines. */
export function printStack(output: TextOutput, { name, message, stack = '' }: Error): void {
  const title = `${name}: ${message}`;
  const at = stack.startsWith(title) ? title.length : stack.indexOf('\n    at ');
  printMessage(output, title);
  for (const line of at < 0 ? [] : stack.slice(at).split('\n').slice(1)) printMessage(output, line);
}

const CLEAR = '\r\u001B[K';

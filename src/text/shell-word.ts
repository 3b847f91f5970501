import { isPrintable } from './printable.ts';

/** A text as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w=:/.,@+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Names from outside as words of a shell, separated by commas. Those with non-printable characters are omitted. */
export function shellWords(names: readonly string[]): string {
  return names.filter(isPrintable).map(shellWord).join(', ');
}

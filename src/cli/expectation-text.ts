import { isPrintable } from '../text/printable.ts';
import { shellWord } from '../text/shell-word.ts';

/** Splits a text with several expectations, as a variable holds them. Values may contain spaces, too. */
export function splitExpectations(text: string): string[] {
  return text.trim().split(/\s+(?=[a-z-]+=|none(?:\s|$))/);
}

/**
 * The option that expects exactly these values of a key, quoted for a shell. Undefined if a value cannot be written:
 * read again, it would accept more, or people cannot see what it holds.
 */
export function expectOption(key: string, accepted: readonly string[] | 'any'): string | undefined {
  const values = accepted === 'any' ? ['any'] : accepted;
  const text = `${key}=${values.join(',')}`;
  const isWritable = accepted === 'any' || (values.length > 0 && values.every(isOneValue));
  return isWritable && splitExpectations(text)[0] === text ? `--expect ${shellWord(text)}` : undefined;
}

/** Whether a list of values takes this text as one of them, and not as several, or as a keyword. */
function isOneValue(value: string): boolean {
  return isPrintable(value) && value !== 'any' && /^[^,]+$/.test(value) && value.trim() === value;
}

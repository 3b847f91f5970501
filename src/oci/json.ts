import type { ErrorFacts } from '../errors.ts';
import { DrayageError, isDrayageError } from '../errors.ts';

/** The maximum nesting of objects and lists in a document. */
export const MAX_DEPTH = 100;

/** Options of {@link parseJson}. */
export interface JsonOptions {
  /** The maximum nesting. Default 100. */
  depth?: number | undefined;
}

/** An object or a list that is open while a text is scanned. */
type Frame = Set<string>;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
/** Keys of whole numbers that Go programs read: they refuse `1.0` and `1e3` for one, which JavaScript reads. */
const WHOLE = /^(?:size|schemaVersion)$/;
/** A number, from where it begins. */
const NUMBER = /-?\d[\d.eE+-]*/y;

/**
 * Parses JSON so that every parser reads the same: strictly as UTF-8, without a byte order mark, without a key twice
 * in one object, without half a surrogate pair (Go programs replace it), without a number that is read here and refused
 * there (`1e999`, a size of `1e3`), and with limited nesting.
 * @param what names the document in errors: `manifest.json`, `manifest sha256:…`
 * @throws {@link DrayageError} `MALFORMED`; `LIMIT` if it is nested too deeply
 */
export function parseJson(bytes: Uint8Array, what: string, { depth = MAX_DEPTH }: JsonOptions = {}): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    assertOneMeaning(text, what, depth);
    return JSON.parse(text) as unknown;
  } catch (cause) {
    if (isDrayageError(cause)) throw cause;
    throw new DrayageError('MALFORMED', `${what} is not JSON`, { cause });
  }
}

/**
 * Parses JSON as {@link parseJson}, if it is JSON at all.
 * @returns undefined for anything else
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT` for JSON that is refused
 */
export function parseIfJson(bytes: Uint8Array, what: string): unknown {
  try {
    return parseJson(bytes, what);
  } catch (error) {
    if (isDrayageError(error, 'LIMIT') || isJson(bytes)) throw error;
    return undefined;
  }
}

/**
 * Parses JSON that holds secrets, as {@link parseJson}. Errors quote nothing of it, and have no cause: the words of the
 * JavaScript engine quote what is around a mistake.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseSecretJson(bytes: Uint8Array, what: string, facts: ErrorFacts = {}): unknown {
  let problem = 'is not JSON';
  try {
    const value = parseIfJson(bytes, what);
    if (value !== undefined) return value;
  } catch {
    problem = 'has a key twice, or is nested too deeply';
  }
  throw new DrayageError('MALFORMED', `${what} ${problem}`, facts);
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes).toString());
    return true;
  } catch {
    return false;
  }
}

/** One pass over the text, before anything is built of it. What is not JSON is left to the parser. */
function assertOneMeaning(text: string, what: string, depth: number): void {
  const open: Frame[] = [];
  /** The key whose value comes next. */
  let key = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '{' || char === '[') {
      if (open.push(new Set()) > depth) throw tooDeep(what, depth);
    } else if (char === '}' || char === ']') {
      open.pop();
    } else if (char === '"') {
      const end = endOfString(text, i);
      const isKey = isBeforeColon(text, end);
      key = assertString(text.slice(i, end), isKey ? open.at(-1) : undefined, what);
      i = end - 1;
    } else if (char === '-' || (char !== undefined && char >= '0' && char <= '9')) {
      i = assertNumber(text, i, key, what) - 1;
      key = '';
    }
  }
}

/**
 * @param key the key before it, unless another number has come since; otherwise empty
 * @returns the index behind the number
 */
function assertNumber(text: string, start: number, key: string, what: string): number {
  NUMBER.lastIndex = start;
  const [number = '-'] = NUMBER.exec(text) ?? [];
  const value = Number(number);
  if (Math.abs(value) === Infinity || (WHOLE.test(key) && /[.eE]/.test(number) && Number.isInteger(value)))
    throw new DrayageError(
      'MALFORMED',
      `${what} has a number that docker does not read: ${number.slice(0, 40)}`,
    );
  return start + number.length;
}

/** The index behind the closing quote. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text.charCodeAt(i) !== QUOTE) i += text.charCodeAt(i) === BACKSLASH ? 2 : 1;
  return i + 1;
}

function isBeforeColon(text: string, start: number): boolean {
  let i = start;
  while (/[ \t\r\n]/.test(text[i] ?? '')) i += 1;
  return text.charCodeAt(i) === COLON;
}

/**
 * @param keys of the object, if the string is a key
 * @returns the key, otherwise an empty text
 */
function assertString(quoted: string, keys: Frame | undefined, what: string): string {
  const hasEscapes = quoted.includes('\\');
  if (!hasEscapes && keys === undefined) return '';
  const value = hasEscapes ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
  if (hasEscapes && /\p{Surrogate}/u.test(value))
    throw new DrayageError(
      'MALFORMED',
      `${what} contains half a surrogate pair, which programs read differently`,
    );
  if (keys?.has(value) === true) throw keyTwice(value, what);
  keys?.add(value);
  return keys === undefined ? '' : value;
}

function keyTwice(key: string, what: string): DrayageError {
  const shown = JSON.stringify(key.slice(0, 80));
  return new DrayageError('MALFORMED', `${what} has the key ${shown} twice in one object`);
}

function tooDeep(what: string, depth: number): DrayageError {
  const message = `${what} is nested deeper than the limit of ${depth} levels`;
  return new DrayageError('LIMIT', message, { expected: depth });
}

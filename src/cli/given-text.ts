/** The beginning of a PEM text, or of a JSON object. */
const TEXT = /-----BEGIN |^\s*\{/;
/** The beginning of the base64 of a PEM text. */
const ENCODED_PEM = /^\s*LS0tLS1CRUdJTi/;
/** Begins as a path, which no form of a key does. */
const PATH = /^(?:~?|\.{1,2})\/[^\r\n]*$/;
/** Several lines, or as much base64 or hexadecimal as 30 bytes are. The shortest key has 32. */
const KEY = /[\r\n]|[\w+/=-]{40,}/;

/** Whether an option holds a text itself, not the path of its file: PEM or JSON. */
export function isText(given: string): boolean {
  return TEXT.test(given);
}

/** Whether an option that takes the path of a file holds a text in its place: as it is, or PEM in base64. */
export function isTextForPath(given: string): boolean {
  return isText(given) || ENCODED_PEM.test(given);
}

/**
 * Whether a text that names no file may be a private key in any form: DER in base64 or hexadecimal, lines of PEM without
 * its first one. Such a text must not be printed. A path without dots may look like one, unless it begins with `/` or `./`.
 */
export function mayBeKey(given: string): boolean {
  return !PATH.test(given) && KEY.test(given);
}

/** Control and format characters, line and paragraph separators, and surrogates that stand alone. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * Text in which each character that is not seen is written as `\u001b`: a terminal or a log viewer may obey it, and a
 * direction mark changes the order of what follows. In a JSON document that is an escape: the document stays the same.
 */
export function printable(text: string): string {
  return text.replaceAll(UNSEEN, escaped);
}

/** Whether each character of a text is seen. */
export function isPrintable(text: string): boolean {
  return printable(text) === text;
}

function escaped(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

/**
 * Control and format characters, line and paragraph separators, surrogates that stand alone, and what has no width: fillers,
 * variation selectors, noncharacters.
 */
const NON_PRINTABLE =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/gu;

/**
 * Text in which each non-printable character is escaped as `\u001b`: a terminal or a log viewer may obey it, and a
 * direction mark changes the order of what follows. In a JSON document that is an escape: the document stays the same.
 */
export function printable(text: string): string {
  return text.replaceAll(NON_PRINTABLE, escaped);
}

/** Whether a text has printable characters only. */
export function isPrintable(text: string): boolean {
  return printable(text) === text;
}

function escaped(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

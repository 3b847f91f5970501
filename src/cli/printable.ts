/** Replaces control characters by spaces: names and documents come from outside, and a terminal obeys them. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

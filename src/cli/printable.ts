/** Text with each control character made a space: names and documents come from outside, and a terminal obeys. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

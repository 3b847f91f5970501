/** Up to the host of an address. URL parsers ignore tabs and line breaks. */
const USERINFO = /:\/\/(?:[^\s/?#]|[\t\r\n])*@/g;
/** A password with characters that an address must escape. What follows the colon is not a port. */
const MALFORMED = /:\/\/[^\s/?#:@[]*:(?!\d*(?:[/?#\s]|$))\S{0,256}@/g;

/** A text in which no address has credentials: `https://user:password@host` becomes `https://host`. */
export function withoutUserinfo(text: string): string {
  return text.replaceAll(USERINFO, '://').replaceAll(MALFORMED, '://');
}

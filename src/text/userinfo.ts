/**
 * Up to the host of an address. URL parsers ignore tabs and line breaks, escaped here or not, and take any number of slashes
 * of either kind for those of the web's schemes.
 */
const USERINFO =
  /(:\/\/|\b(?:https?|wss?|ftp):(?:[\\/\t\r\n]|\\u000[9ad])+|(?<![^\s"'(=<,])\/\/)(?:[^\s/?#]|[\t\r\n])*@/gi;
/** A password with characters that an address must escape. What follows the colon is not a port. */
const MALFORMED = /:\/\/[^\s/?#:@[]*:(?!\d*(?:[/?#\s]|$))\S{0,256}@/g;

/**
 * A login before a host in a text without a scheme, as proxies, git and curl write it. A digest after `name:tag` is none, and
 * neither is what has slashes.
 */
const BARE = /(?<=^|[\s"'`([{<=,;])[^\s"'`([{<=,;:/@]{1,256}:[^\s/]{1,256}@(?!sha\d+:)(?=[\w[])/gi;

/** A text in which no address has credentials: `https://user:password@host` becomes `https://host`. */
export function withoutUserinfo(text: string): string {
  return text.replaceAll(USERINFO, '$1').replaceAll(MALFORMED, '://').replaceAll(BARE, '');
}

/** A text that should be an address and is not, without what may be a user and a password: `…@host`. */
export function withoutLogin(text: string): string {
  return text.replace(/^.*@/s, '…@');
}

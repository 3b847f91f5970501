/**
 * Up to the host of an address. URL parsers ignore tabs and line breaks, escaped here or not, and take any number of slashes
 * of either kind for those of the web's schemes.
 */
const USERINFO =
  /(:\/\/|\b(?:https?|wss?|ftp):(?:[\\/\t\r\n]|\\u000[9ad])+|(?<![^\s"'(=<,])\/\/)(?:[^\s/?#]|[\t\r\n])*@/gi;
/**
 * An address that was taken for a path, which has one slash where it had two: `docker:/user:password@host`. Parsers of URLs
 * need no slash after a scheme of the web.
 */
const AS_PATH =
  /(?<![\w+.-])([a-z][a-z0-9+.-]{0,30}:\/+|(?:https?|wss?|ftp):)[^\s/?#:@]{1,256}:[^\s/?#]{0,256}@(?!sha\d+:)(?=[\w[])/gi;
/** A password with characters that an address must escape. What follows the colon is not a port. */
const MALFORMED = /:\/\/[^\s/?#:@[]*:(?!\d*(?:[/?#\s]|$))\S{0,256}@/g;
/** The same with blanks, up to a host. */
const WITH_BLANKS = /:\/\/[^\s/?#:@[]{1,256}:(?!\d*(?:[/?#\s]|$))[^@"'`\n]{0,256}@(?!sha\d+:)(?=[\w[])/g;

/**
 * A login before a host in a text without a scheme, as proxies, git and curl write it. A digest after `name:tag` is none, and
 * neither is a mail address, or what has slashes or the punctuation of a list.
 */
const BARE =
  /(?<=^|[\s"'`([{<=,;/])(?!(?:mailto|email):)[^\s"'`()[\]{}<>=,;:/@]{1,256}:[^\s"'`()[\]{}<>=,;/]{1,256}@(?!sha\d+:)(?=[\w[])/gi;

/** A text in which no address has credentials: `https://user:password@host` becomes `https://host`. */
export function withoutUserinfo(text: string): string {
  return text.replaceAll(USERINFO, '$1').replaceAll(AS_PATH, '$1').replaceAll(MALFORMED, '://');
}

/**
 * A message in which neither an address nor a host has credentials: `proxy user:password@host` becomes `proxy host`. Not for
 * data: `name:word@word` may be anything there.
 */
export function withoutCredentials(message: string): string {
  return withoutUserinfo(message).replaceAll(WITH_BLANKS, '://').replaceAll(BARE, '');
}

/** {@link withoutCredentials} of each text of an error or another report. */
export function tellable<T extends object>(report: T): T {
  const told = Object.entries(report).map(([key, value]: [string, unknown]) => [
    key,
    typeof value === 'string' ? withoutCredentials(value) : value,
  ]);
  return { ...report, ...Object.fromEntries(told) };
}

/** A text that should be an address and is not, without what may be a user and a password: `…@host`. */
export function withoutLogin(text: string): string {
  return text.replace(/^.*@/s, '…@');
}

/** A registry's challenge (RFC 9110, section 11.6.1): `Bearer realm="https://…",service="…"`, or `Basic`. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  scheme: string;
  /** By names in lower case. */
  parameters: ReadonlyMap<string, string>;
}

const PARAMETER = /[\s,]*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;
const SCHEME = /[\s,]*([A-Za-z][\w-]*)(?=\s|,|$)/y;

/** Parses the values of `WWW-Authenticate`. One value may hold several challenges. An unreadable part ends its value. */
export function parseChallenges(values: readonly string[]): Challenge[] {
  return values.flatMap(parseValue);
}

function parseValue(text: string): Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  for (let at = 0; at < text.length;) {
    const current = found.at(-1);
    const parameter = current && matchAt(PARAMETER, text, at);
    const match = parameter ?? matchAt(SCHEME, text, at);
    if (match === undefined) break;
    const [whole, name = '', quoted, plain = ''] = match;
    at += whole.length;
    if (parameter === undefined) found.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else current?.parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? plain);
  }
  return found;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}

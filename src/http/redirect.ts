import { DrayageError } from '../errors.ts';
import { withoutSecrets } from './address.ts';
import type { HttpReply } from './reply.ts';

/** How many redirects are followed in a row. */
export const MAX_REDIRECTS = 5;

/**
 * The target of a redirect; undefined if the reply is not a redirect.
 * @throws {@link DrayageError} `UNREACHABLE` if the target is not an address
 */
export function redirectTarget(reply: HttpReply, from: URL): URL | undefined {
  const location = reply.status >= 300 && reply.status < 400 ? reply.header('location') : undefined;
  return location === undefined ? undefined : addressIn(location, from);
}

/**
 * The address in a `Location` header.
 * @throws {@link DrayageError} `UNREACHABLE` if it is not an address
 */
export function addressIn(location: string, base: URL): URL {
  const url = URL.canParse(location, base.href) ? new URL(location, base) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw new DrayageError('UNREACHABLE', `${withoutSecrets(base)} redirects to an invalid address`, {
    url: withoutSecrets(base),
    status: 302,
  });
}

/**
 * The same path and query at the server that was reached, whatever it calls itself. A path that begins with two slashes
 * stays a path: parsed as a reference it would name another host.
 */
export function reachedAt(base: URL, { pathname, search }: URL): URL {
  const url = new URL(base);
  url.pathname = pathname;
  url.search = search;
  return url;
}

/**
 * Refuses a redirect from https to plain http, unless its host is named.
 * @param plainHttp hosts, each with or without its port
 * @throws {@link DrayageError} `UNSAFE`
 */
export function assertSecure(from: URL, target: URL, plainHttp: ReadonlySet<string> | undefined): void {
  if (from.protocol !== 'https:' || target.protocol !== 'http:') return;
  if (plainHttp?.has(target.host) === true || plainHttp?.has(target.hostname) === true) return;
  throw new DrayageError('UNSAFE', `${withoutSecrets(from)} redirects to plain http: ${target.host}`, {
    url: withoutSecrets(target),
    reason: 'PLAIN_HTTP',
    name: target.host,
    hint: 'let its storage be reached by https, or permit plain http with that host',
  });
}

/** The error for too many redirects. */
export function redirectsInCircles(from: URL): DrayageError {
  return new DrayageError('UNREACHABLE', `${withoutSecrets(from)} redirects in circles`, {
    url: withoutSecrets(from),
    status: 302,
  });
}

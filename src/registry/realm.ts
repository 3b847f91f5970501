import { DrayageError } from '../errors.ts';
import { withoutSecrets } from '../http/address.ts';
import { mayBeTrusted, mayLeadTo } from '../http/led-to.ts';
import type { Lookup } from '../http/nearness.ts';
import type { Challenge } from './challenge.ts';

/** Which token servers a registry may name. */
export interface RealmOptions {
  /** The host of the registry, for errors. */
  host: string;
  /** The address of the registry's API. */
  base: URL;
  /** Hosts of token servers that are trusted wherever they are, each with or without its port. */
  tokenServers?: ReadonlySet<string> | undefined;
  /** Default: as the system resolves names. */
  lookup?: Lookup | undefined;
}

/**
 * The token server in a registry's challenge. A registry must not make a job ask addresses that only the job can reach:
 * the server is at the registry's own host and port, or trusted, or public, or private like the registry.
 * @throws {@link DrayageError} `UNREACHABLE` if there is none; `UNSAFE` for plain http, for credentials in the address,
 * and for an address that is too near
 */
export async function realmOf(challenge: Challenge, options: RealmOptions): Promise<URL> {
  const { host, base } = options;
  const realm = challenge.parameters.get('realm') ?? '';
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new DrayageError('UNREACHABLE', `${host} names no token server in its challenge`);
  }
  if (url.protocol !== 'https:' && base.protocol !== 'http:') {
    throw new DrayageError('UNSAFE', `${host} asks for the credentials over plain http`, {
      url: withoutSecrets(url),
      hint: 'its token server must have an https address',
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new DrayageError('UNSAFE', `${host} names a token server with a user name in its address`, {
      url: withoutSecrets(url),
    });
  }
  if (
    !(await mayLeadTo(url, { base, trusted: options.tokenServers, loopback: false, lookup: options.lookup }))
  ) {
    throw new DrayageError('UNSAFE', `${host} names a token server in a network of this job: ${url.host}`, {
      url: withoutSecrets(url),
      reason: 'TOKEN_SERVER',
      name: url.host,
      hint: (await mayBeTrusted(url, options.lookup))
        ? 'trust that host if it is the token server'
        : undefined,
    });
  }
  return url;
}

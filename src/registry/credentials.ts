import type { ContentOptions } from '../content/source.ts';

/** What a registry is shown: a name and a password (or an access token in its place), or an identity token of OAuth 2. */
export type Credential = { username: string; password: string } | { identityToken: string };

/**
 * Finds the credential for a registry by its host as references name it, `registry.example:5000`, `docker.io`. Undefined
 * means to go without.
 * @throws {@link DrayageError} where a credential should be there and cannot be had
 */
export type Credentials = (host: string, options?: ContentOptions) => Promise<Credential | undefined>;

/** Asks one after the other; the first that knows the registry counts. */
export function chainCredentials(stores: readonly Credentials[]): Credentials {
  return async (host, options) => {
    for (const store of stores) {
      const found = await store(host, options);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/** Credentials that are known by host. */
export function knownCredentials(byHost: ReadonlyMap<string, Credential>): Credentials {
  return async (host) => byHost.get(host);
}

import type { ContentOptions } from '../content/source.ts';
import type { DrayageError } from '../errors.ts';
import { isDrayageError } from '../errors.ts';

/**
 * A credential: a user name and a password (or an access token instead), an identity token of OAuth 2, or a token that
 * the registry itself takes, as its token server would issue it.
 */
export type Credential =
  | { username: string; password: string }
  | { identityToken: string }
  | { registryToken: string };

/**
 * Finds the credential for a registry by its host as references name it, `registry.example:5000`, `docker.io`.
 * Undefined means that there is none.
 * @throws {@link DrayageError} if a credential should exist but cannot be read
 */
export type Credentials = (host: string, options?: ContentOptions) => Promise<Credential | undefined>;

/**
 * Asks the stores one after the other; the first that knows the registry wins. One that fails is passed over, and its
 * error is thrown if no other knows the registry.
 */
export function chainCredentials(stores: readonly Credentials[]): Credentials {
  return async (host, options) => {
    let failure: DrayageError | undefined;
    for (const store of stores) {
      try {
        const found = await store(host, options);
        if (found !== undefined) return found;
      } catch (error) {
        options?.signal?.throwIfAborted();
        if (!isDrayageError(error)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  };
}

/** Credentials that are known by host. */
export function knownCredentials(byHost: ReadonlyMap<string, Credential>): Credentials {
  return async (host) => byHost.get(host);
}

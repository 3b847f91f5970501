import type { ContentOptions } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import type { Http } from '../http/http.ts';
import type { HttpReply } from '../http/reply.ts';
import type { Challenge } from './challenge.ts';
import { parseChallenges } from './challenge.ts';
import type { Credential, Credentials } from './credentials.ts';
import type { Secrets } from './secrets.ts';
import { basic, requestToken } from './token.ts';
import { shellWord } from '../text/shell-word.ts';

/** Options of {@link Authorization}. */
export interface AuthorizationOptions {
  http: Http;
  /** The host of the registry, as references name it. */
  host: string;
  credentials: Credentials;
  /** Learns which texts must not be shown. */
  secrets: Secrets;
  tokenServers?: ReadonlySet<string> | undefined;
  /** Called once if the credential cannot be read. */
  onWarning?: ((message: string) => void) | undefined;
}

/** A token, or a request for one. */
interface HeldToken {
  header: Promise<string>;
  /** In milliseconds, on the clock of performance.now(). */
  freshUntil: number;
}

/** A token is renewed after this part of its life, because a request takes time, too. */
const FRESH = 0.8;

/**
 * Credentials for one registry. They are sent only when challenged, and only as requested. Tokens are kept for their
 * scopes until they expire or the registry refuses them.
 */
export class Authorization {
  readonly #options: AuthorizationOptions;
  #challenge: Challenge | undefined;
  #credential: Promise<Credential | undefined> | undefined;
  #unread: DrayageError | undefined;
  /** By scopes. Those in a challenge are not requested: a registry must not widen what a request needs. */
  readonly #tokens = new Map<string, HeldToken>();

  constructor(options: AuthorizationOptions) {
    this.#options = options;
  }

  /**
   * The value of the header `Authorization`; undefined until the registry sends a challenge.
   * @param base the address of the registry's API
   */
  async header(scopes: readonly string[], base: URL, options: ContentOptions): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    if (challenge.scheme === 'basic') {
      const credential = await this.#find(options);
      return credential !== undefined && 'password' in credential ? basic(credential) : undefined;
    }
    const key = scopes.join(' ');
    let held = this.#tokens.get(key);
    if (held === undefined || performance.now() >= held.freshUntil) {
      held = this.#request(challenge, key, scopes, base, options);
      this.#tokens.set(key, held);
    }
    return held.header;
  }

  /**
   * Handles a 401.
   * @param shown the header that was refused
   * @returns whether another header can be sent
   */
  async answer(
    reply: HttpReply,
    scopes: readonly string[],
    shown: string | undefined,
    options: ContentOptions,
  ): Promise<boolean> {
    const challenges = parseChallenges(reply.headers('www-authenticate'));
    const credential = await this.#find(options);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) {
      const key = scopes.join(' ');
      this.#challenge = bearer;
      const held = this.#tokens.get(key);
      // Another request may have renewed it meanwhile.
      if (held !== undefined && shown === (await held.header.catch(() => shown))) this.#tokens.delete(key);
      return true;
    }
    const challenge = challenges.find(({ scheme }) => scheme === 'basic');
    if (challenge === undefined || credential === undefined || shown?.startsWith('Basic ') === true)
      return false;
    if (!('password' in credential)) {
      const { host } = this.#options;
      throw new DrayageError('DENIED', `${host} requires a password, but there is only a token`, {
        hint: `docker login ${shellWord(host)}`,
      });
    }
    this.#challenge = challenge;
    return true;
  }

  /** Whether there is a credential for this registry. */
  async hasCredential(options: ContentOptions): Promise<boolean> {
    return (await this.#find(options)) !== undefined;
  }

  /** Why the credential of this registry could not be read; undefined if it was not looked up, or could be. */
  get unread(): DrayageError | undefined {
    return this.#unread;
  }

  #request(
    challenge: Challenge,
    key: string,
    scopes: readonly string[],
    base: URL,
    options: ContentOptions,
  ): HeldToken {
    const { http, host, secrets, tokenServers } = this.#options;
    const ask = async (): Promise<string> => {
      const credential = await this.#find(options);
      if (credential !== undefined && 'registryToken' in credential)
        return `Bearer ${credential.registryToken}`;
      const unread = this.#unread;
      const request = { ...options, http, host, challenge, scopes, credential, unread, base, tokenServers };
      const { value, expiresIn } = await requestToken(request);
      secrets.add(value);
      held.freshUntil = performance.now() + expiresIn * 1000 * FRESH;
      return `Bearer ${value}`;
    };
    const held: HeldToken = { header: Promise.resolve(''), freshUntil: Number.POSITIVE_INFINITY };
    held.header = ask();
    held.header.catch(() => {
      if (this.#tokens.get(key) === held) this.#tokens.delete(key);
    });
    return held;
  }

  /**
   * Looked up once, when it is first needed. As for docker's client, one that cannot be read is none: the registry may
   * not need it, and says so if it does.
   */
  async #find(options: ContentOptions): Promise<Credential | undefined> {
    const { credentials, host, secrets } = this.#options;
    this.#credential ??= credentials(host, options);
    try {
      const found = await this.#credential;
      if (found !== undefined && 'password' in found) {
        secrets.add(found.password, basic(found).slice('Basic '.length));
      } else if (found !== undefined) {
        secrets.add('identityToken' in found ? found.identityToken : found.registryToken);
      }
      return found;
    } catch (error) {
      this.#credential = undefined;
      options.signal?.throwIfAborted();
      if (!isDrayageError(error)) throw error;
      if (this.#unread === undefined) this.#options.onWarning?.(error.message);
      this.#unread = error;
      this.#credential = Promise.resolve(undefined);
      return undefined;
    }
  }
}

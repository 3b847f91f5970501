import type { ContentOptions } from '../content/source.ts';
import type { DrayageError, ErrorFacts } from '../errors.ts';
import { withoutSecrets } from '../http/address.ts';
import type { HttpDispatcher, HttpRequest } from '../http/http.ts';
import { Http } from '../http/http.ts';
import { MAX_REDIRECTS, redirectsInCircles, redirectTarget } from '../http/redirect.ts';
import { assertMayLeadTo } from '../http/led-to.ts';
import { freeHost } from '../http/nearness.ts';
import type { HttpReply } from '../http/reply.ts';
import { drop } from '../http/reply.ts';
import type { RetryOptions } from '../http/retry.ts';
import { passingError, Retry } from '../http/retry.ts';
import { registryAddress } from './address.ts';
import { Authorization } from './authorization.ts';
import type { Credentials } from './credentials.ts';
import { unsafeRedirect } from './errors.ts';
import { readProblems, refusalError } from './refusal.ts';
import { Secrets } from './secrets.ts';

/** The longest warning that is passed on, in characters. */
const MAX_WARNING = 300;
/** How to reach a registry. */
export interface RegistryOptions {
  /** Finds the credential for a registry that requires one. Default: none. */
  credentials?: Credentials | undefined;
  /**
   * Hosts, as references name them, that are reached by plain http. Default: none, except servers without TLS on this
   * machine's loopback.
   */
  plainHttp?: ReadonlySet<string> | undefined;
  /**
   * Hosts of token servers, and of storage, that a registry may lead to even if they are on this machine or in a private
   * network, each with or without its port. Default: none.
   */
  tokenServers?: ReadonlySet<string> | undefined;
  /** An undici dispatcher for all requests. It is not closed here. Default: direct connections. */
  dispatcher?: HttpDispatcher | undefined;
  retry?: RetryOptions | undefined;
  /** How long a server may be silent, or send next to nothing, in milliseconds. Default one minute. */
  idleTimeout?: number | undefined;
  /** The size of the pieces of an upload in several requests, in bytes. Default 8 MiB; a registry may ask for more. */
  chunkSize?: number | undefined;
  /** Called with each warning of the registry, once. */
  onWarning?: ((message: string) => void) | undefined;
}

/** A request to a registry. */
export interface RegistryRequest extends Pick<HttpRequest, 'method' | 'headers' | 'isLong' | 'signal'> {
  /** A path below `/v2/`, or a whole address that the registry has named. */
  to: string | URL;
  /** The permissions it needs: `repository:group/app:pull,push`. */
  scopes: readonly string[];
  /** Makes the body; called again when the request is repeated. */
  body?: (() => Promise<NonNullable<HttpRequest['body']>>) | undefined;
}

const DEFAULT_CHUNK = 8 * 1024 * 1024;

/**
 * Requests to one registry (OCI distribution-spec). Credentials are sent to its own origin and to the token server that
 * it names, and nowhere else.
 */
export class RegistryApi implements AsyncDisposable {
  /** As references name it: `registry.example:5000`. */
  readonly host: string;
  readonly retry: Retry;
  readonly chunkSize: number;
  readonly #plainHttp: boolean;
  readonly #trusted: ReadonlySet<string> | undefined;
  readonly #http: Http;
  readonly #authorization: Authorization;
  readonly #secrets = new Secrets();
  readonly #warned = new Set<string>();
  readonly #onWarning: (message: string) => void;
  #base: Promise<URL> | undefined;

  constructor(host: string, options: RegistryOptions = {}) {
    const { credentials = async () => undefined, dispatcher, idleTimeout } = options;
    this.host = host;
    this.chunkSize = options.chunkSize ?? DEFAULT_CHUNK;
    this.retry = new Retry(options.retry);
    this.#plainHttp = options.plainHttp?.has(host) === true;
    this.#trusted = options.tokenServers;
    this.#onWarning = options.onWarning ?? (() => {});
    this.#http = new Http(dispatcher, idleTimeout);
    this.#authorization = new Authorization({
      http: this.#http,
      host,
      credentials,
      secrets: this.#secrets,
      tokenServers: options.tokenServers,
      onWarning: (message) => this.#onWarning(`${host}: no credentials are used: ${message}`),
    });
  }

  /**
   * Sends a request. Retries if that may help.
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `UNSAFE`
   */
  async ask(request: RegistryRequest): Promise<HttpReply> {
    return this.retry.run(() => this.send(request), request.signal);
  }

  /**
   * Sends a request once, and once more with credentials if the registry requires them. Follows redirects of requests
   * without a body.
   * @returns the reply, whatever its status
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, also for statuses that may change within moments; `UNSAFE`
   * for a redirect to plain http
   */
  async send(request: RegistryRequest): Promise<HttpReply> {
    const base = await this.#address(request);
    const { method = 'GET' } = request;
    let url = await this.address(request.to, request);
    if (url.origin !== base.origin) await this.#assertMayLeadTo(url, base);
    for (let i = 0; i <= MAX_REDIRECTS; i++) {
      const reply =
        url.origin === base.origin ? await this.#ask(url, request) : await this.#visit(url, request);
      const passing = passingError(reply, withoutSecrets(url));
      if (passing !== undefined) {
        drop(reply);
        throw passing;
      }
      const target = method === 'GET' || method === 'HEAD' ? redirectTarget(reply, url) : undefined;
      if (target === undefined) return reply;
      drop(reply);
      if (target.protocol === 'http:' && base.protocol === 'https:') throw unsafeRedirect(url, target);
      await this.#assertMayLeadTo(target, base);
      url = target;
    }
    throw redirectsInCircles(url);
  }

  /** The error for a reply that refuses. Reads the reply. */
  async refusal(reply: HttpReply, what: string, facts?: ErrorFacts): Promise<DrayageError> {
    const problems = await readProblems(reply);
    return refusalError(reply.status, problems, {
      url: what,
      host: this.host,
      shown: reply.status === 401 && (await this.#authorization.hasCredential({}).catch(() => false)),
      unread: this.#authorization.unread,
      facts,
      conceal: (text) => this.#secrets.conceal(text),
    });
  }

  /** The address of a request. */
  async address(to: string | URL, options: ContentOptions): Promise<URL> {
    return to instanceof URL ? to : new URL(`v2/${to}`, await this.#address(options));
  }

  /** The address of a path below `/v2/`, for errors. */
  name(path: string): string {
    return `${this.host}/${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }

  /** Sends a request to the registry itself. */
  async #ask(url: URL, request: RegistryRequest): Promise<HttpReply> {
    const { scopes, signal } = request;
    const shown = await this.#authorization.header(scopes, url, { signal });
    let reply = await this.#visit(url, request, shown);
    if (reply.status === 401 && (await this.#authorization.answer(reply, scopes, shown, { signal }))) {
      drop(reply);
      const next = await this.#authorization.header(scopes, url, { signal });
      reply = await this.#visit(url, request, next);
    }
    for (const warning of warningsIn(reply)) this.warn(`${this.host} warns: ${warning}`);
    return reply;
  }

  async #assertMayLeadTo(url: URL, base: URL): Promise<void> {
    await assertMayLeadTo(url, { base, trusted: this.#trusted });
  }

  /** Sends a request to any host. */
  async #visit(
    url: URL,
    { method, headers, body, signal, isLong }: RegistryRequest,
    authorization?: string,
  ): Promise<HttpReply> {
    return this.#http.send(url, {
      method,
      headers: { ...headers, ...(authorization !== undefined && { authorization }) },
      ...(body !== undefined && { body: await body() }),
      signal,
      isLong,
    });
  }

  async #address(options: ContentOptions): Promise<URL> {
    this.#base ??= registryAddress(this.host, this.#plainHttp, this.#http, options);
    try {
      const base = await this.#base;
      freeHost(base.hostname);
      return base;
    } catch (error) {
      this.#base = undefined;
      throw error;
    }
  }

  /** Says something about the registry, once. */
  warn(text: string): void {
    const message = this.#secrets.conceal(text);
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#onWarning(message);
  }
}

/** A registry's warnings (OCI distribution-spec, warnings): `Warning: 299 - "text"`. */
function warningsIn(reply: HttpReply): string[] {
  return reply.headers('warning').flatMap((value) => {
    const [, text] = /^299 - "((?:[^"\\]|\\.)*)"/.exec(value) ?? [];
    return text === undefined ? [] : [text.replaceAll(/\\(.)/g, '$1').slice(0, MAX_WARNING)];
  });
}

import type { ContentOptions } from '../content/source.ts';
import type { ErrorFacts } from '../errors.ts';
import { DrayageError } from '../errors.ts';
import { withoutSecrets } from '../http/address.ts';
import type { HttpDispatcher } from '../http/http.ts';
import { Http } from '../http/http.ts';
import { assertMayLeadTo } from '../http/led-to.ts';
import { freeHost } from '../http/nearness.ts';
import { assertSecure } from '../http/redirect.ts';
import type { HttpReply } from '../http/reply.ts';
import { refusalCode } from '../http/refusal-code.ts';
import { drop, readWhole } from '../http/reply.ts';
import type { RetryOptions } from '../http/retry.ts';
import { passingError, Retry } from '../http/retry.ts';
import { withoutLogin } from '../text/userinfo.ts';

/** How to reach a GitLab instance. */
export interface GitLabOptions {
  /** Address of its API, `https://gitlab.example/api/v4`: CI_API_V4_URL. */
  url: string;
  /** CI_JOB_TOKEN. It is valid while its job runs. */
  jobToken?: string | undefined;
  /** A personal, project or group access token with the scope `read_api`. */
  token?: string | undefined;
  /** An undici dispatcher for all requests. It is not closed here. Default: direct connections. */
  dispatcher?: HttpDispatcher | undefined;
  /**
   * Hosts that a redirect may lead to by plain http although the API is reached by https, each with or without its
   * port. Default: none.
   */
  plainHttp?: ReadonlySet<string> | undefined;
  /**
   * Hosts of storage that a redirect may lead to although only this job can reach them, each with or without its port.
   * Default: none, except where the API is as near.
   */
  storage?: ReadonlySet<string> | undefined;
  retry?: RetryOptions | undefined;
  /** How long a server may be silent, or send next to nothing, in milliseconds. Default one minute. */
  idleTimeout?: number | undefined;
  /** Called with the number of bytes of each chunk that arrives. */
  onReceived?: ((bytes: number) => void) | undefined;
}

/** Which of the tokens a request sends. */
export type TokenKind = 'jobToken' | 'token';

/** One request to the API, and the token it sends. */
export interface ApiRequest {
  /** Path and query below the API's address, without a leading slash. */
  path: string;
  as: TokenKind;
}

/** Reads a document. The text names it in errors. */
export type ParseDocument<T> = (bytes: Uint8Array, what: string) => T;

/** GET requests to one GitLab instance. A token is sent to the API's own origin and nowhere else. */
export class GitLabApi implements AsyncDisposable {
  readonly retry: Retry;
  readonly #plainHttp: ReadonlySet<string> | undefined;
  readonly #storage: ReadonlySet<string>;
  readonly onReceived: (bytes: number) => void;
  readonly #base: URL;
  readonly #headers: Readonly<Partial<Record<TokenKind, Record<string, string>>>>;
  readonly #http: Http;

  constructor(options: GitLabOptions) {
    const { jobToken, token, dispatcher, plainHttp, storage = [], retry, idleTimeout, onReceived } = options;
    this.#plainHttp = plainHttp;
    this.#storage = new Set([...(plainHttp ?? []), ...storage]);
    this.#base = parseBase(options.url);
    freeHost(this.#base.hostname);
    this.#headers = {
      ...(jobToken !== undefined && { jobToken: { 'job-token': jobToken } }),
      ...(token !== undefined && { token: { 'private-token': token } }),
    };
    this.#http = new Http(dispatcher, idleTimeout);
    this.retry = new Retry(retry);
    this.onReceived = onReceived ?? (() => {});
  }

  /** Whether there is a token of this kind. */
  has(kind: TokenKind): boolean {
    return this.#headers[kind] !== undefined;
  }

  /** The address of a request. */
  address(path: string): URL {
    return new URL(path, this.#base);
  }

  /**
   * Refuses a redirect that this API must not make a job follow.
   * @throws {@link DrayageError} `UNSAFE`
   */
  async assertMayLeadTo(from: URL, target: URL): Promise<void> {
    assertSecure(from, target, this.#plainHttp);
    await assertMayLeadTo(target, { base: this.#base, trusted: this.#storage });
  }

  /**
   * Sends one request to any address. Adds the token if the address has the API's own origin. Follows no redirect.
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`; also for statuses that may change within moments
   */
  async send(
    url: URL,
    as: TokenKind,
    headers: Readonly<Record<string, string>>,
    options?: ContentOptions,
  ): Promise<HttpReply> {
    const own = url.origin === this.#base.origin ? this.#headers[as] : undefined;
    const reply = await this.#http.send(url, { ...options, headers: { ...headers, ...own } });
    const passing = passingError(reply, withoutSecrets(url));
    if (passing === undefined) return reply;
    drop(reply);
    throw passing;
  }

  /**
   * Reads a JSON document. Retries if that may help.
   * @returns the document, and the number of the next page if there is one
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `MALFORMED`, `LIMIT`; for a refusal see
   * {@link GitLabApi.refusal}
   */
  async json<T>(
    parse: ParseDocument<T>,
    { path, as }: ApiRequest,
    options: ContentOptions = {},
  ): Promise<{ value: T; nextPage: string | undefined }> {
    const url = this.address(path);
    return this.retry.run(async () => {
      const reply = await this.send(url, as, {}, options);
      if (reply.status !== 200) throw this.refusal(reply, url);
      const bytes = await readWhole(reply, withoutSecrets(url));
      this.onReceived(bytes.length);
      const value = parse(bytes, withoutSecrets(url));
      return { value, nextPage: reply.header('x-next-page') || undefined };
    }, options.signal);
  }

  /** Reads a list of several pages. */
  async pages<T>(
    parse: ParseDocument<T[]>,
    { path, as }: ApiRequest,
    options: ContentOptions = {},
  ): Promise<T[]> {
    const found: T[] = [];
    const glue = path.includes('?') ? '&' : '?';
    let page: string | undefined = '1';
    const known = new Set([page]);
    for (let count = 1; page !== undefined; count++) {
      const query: string = `${path}${glue}per_page=${PAGE_SIZE}&page=${encodeURIComponent(page)}`;
      const { value, nextPage }: { value: T[]; nextPage: string | undefined } = await this.json(
        parse,
        { path: query, as },
        options,
      );
      for (const item of value) found.push(item);
      // An empty page ends the list.
      page = value.length === 0 ? undefined : nextPage;
      if (page !== undefined && known.has(page)) throw pagesInCircles(this.address(path));
      if (page !== undefined) known.add(page);
      assertBounded(Math.max(found.length, count * PAGE_SIZE), path);
    }
    return found;
  }

  /**
   * The error for a reply that refuses the request. `NOT_FOUND`: the resource does not exist or is not visible (GitLab
   * answers both alike). `DENIED`: the token was not accepted.
   */
  refusal(reply: HttpReply, url: URL): DrayageError {
    drop(reply);
    const { status } = reply;
    const facts = { url: withoutSecrets(url), status };
    const message = `${facts.url} answers ${status}`;
    const refusal = url.origin === this.#base.origin ? REFUSALS[status] : undefined;
    return new DrayageError(refusalCode(status), message, { ...facts, ...refusal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }
}

const REFUSALS: Record<number, Pick<ErrorFacts, 'reason' | 'hint'>> = {
  401: {
    reason: 'TOKEN_INVALID',
    hint: 'the token is not valid: CI_JOB_TOKEN is so only while its job runs',
  },
  403: {
    reason: 'TOKEN_FORBIDDEN',
    hint: "the token may not do that: the other project's job token allowlist has to name this project",
  },
};

/** The longest list that is read: far above the number of a pipeline's jobs or an artifact's files. */
const MAX_ITEMS = 500_000;
const PAGE_SIZE = 100;

/** The error for a list whose next page is one that was read. */
function pagesInCircles(from: URL): DrayageError {
  const url = withoutSecrets(from);
  return new DrayageError('UNREACHABLE', `${url} numbers its pages in circles`, { url });
}

function assertBounded(count: number, path: string): void {
  if (count <= MAX_ITEMS) return;
  throw new DrayageError('LIMIT', `GitLab lists over ${MAX_ITEMS} items: ${path}`, { expected: MAX_ITEMS });
}

function parseBase(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '') {
    return new URL(`${url.href.replace(/\/+$/, '')}/`);
  }
  const shown = JSON.stringify(withoutLogin(text).slice(0, 200));
  throw new DrayageError('USAGE', `not the address of a GitLab API: ${shown}`, {
    hint: 'an example: https://gitlab.example/api/v4',
  });
}

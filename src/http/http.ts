import { Readable } from 'node:stream';
import type { Agent } from 'undici';
import { openAgent } from '../agent.ts';
import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import type { AnyDispatcher } from '../undici.ts';
import { withoutSecrets } from './address.ts';
import { withFewConnections } from './connections.ts';
import { exchange } from './exchange.ts';
import { judgedLookup } from './nearness.ts';
import { idleError, networkError } from './network-error.ts';
import type { HttpReply } from './reply.ts';

/** A dispatcher of undici 6 or newer, for connections through a proxy or with custom certificates. */
export interface HttpDispatcher {
  /** Sends a request and reports its result to the handler. */
  dispatch(options: object, handler: object): boolean;
}

/** One request. */
export interface HttpRequest extends ContentOptions {
  /** Default GET. */
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  /** Bytes, or a stream of bytes. The stream is destroyed if the request fails. */
  body?: Uint8Array | string | AsyncIterable<Uint8Array> | undefined;
  /** Whether the server may work for long before it replies, as after an upload. Default false. */
  isLong?: boolean | undefined;
}

/** How long a server may be silent, in milliseconds. */
const DEFAULT_IDLE_TIMEOUT = 60_000;
/** How many times as long it may be silent if it works for long. */
const LONG = 5;

/** Sends single requests. Follows no redirect and never retries. */
export class Http implements AsyncDisposable {
  readonly #dispatcher: AnyDispatcher | undefined;
  #own: Promise<Agent> | undefined;
  #limited: AnyDispatcher | undefined;
  readonly #idleTimeout: number;

  /**
   * @param dispatcher is not closed here; without one, connections are direct and are closed at the end
   * @param idleTimeout how long a server may be silent, or send next to nothing, in milliseconds; default one minute
   */
  constructor(dispatcher: HttpDispatcher | undefined, idleTimeout: number = DEFAULT_IDLE_TIMEOUT) {
    this.#dispatcher = dispatcher && withFewConnections(asDispatcher(dispatcher));
    this.#idleTimeout = idleTimeout;
  }

  /**
   * Resolves when the reply begins, whatever its status.
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`; errors of the request's body as they are
   */
  async send(
    url: URL,
    { method = 'GET', headers = {}, body, signal, isLong = false }: HttpRequest = {},
  ): Promise<HttpReply> {
    signal?.throwIfAborted();
    try {
      return await exchange(url, {
        dispatcher: this.#dispatcher ?? (await this.#direct()),
        method,
        // The bytes of a file are requested: a content encoding would move their offsets.
        headers: { 'user-agent': 'drayage', 'accept-encoding': 'identity', ...headers },
        body: body === undefined ? undefined : asBody(body),
        signal,
        replyTimeout: isLong ? LONG * this.#idleTimeout : this.#idleTimeout,
        idleTimeout: this.#idleTimeout,
        late: (what) => idleError(withoutSecrets(url), what, { url: withoutSecrets(url) }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw networkError(withoutSecrets(url), error);
    }
  }

  /** Direct connections, made with the first request: undici takes long to load. */
  async #direct(): Promise<AnyDispatcher> {
    this.#own ??= openAgent({ connect: { lookup: judgedLookup } });
    const own = await this.#own;
    return (this.#limited ??= withFewConnections(own));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#own)?.destroy();
  }
}

function asBody(body: NonNullable<HttpRequest['body']>): Uint8Array | string | Readable {
  if (typeof body === 'string' || ArrayBuffer.isView(body)) return body;
  return body instanceof Readable ? body : Readable.from(body, { objectMode: false });
}

function asDispatcher(value: HttpDispatcher): HttpDispatcher {
  if (typeof value.dispatch === 'function') return value;
  throw new DrayageError('USAGE', 'the dispatcher has no method dispatch');
}

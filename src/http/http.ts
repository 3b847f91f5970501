import { Readable } from 'node:stream';
import type { Agent, Dispatcher } from 'undici';
import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import { withoutSecrets } from './address.ts';
import { withFewConnections } from './connections.ts';
import { networkError } from './network-error.ts';
import type { HttpReply } from './reply.ts';

/** An undici dispatcher, for connections through a proxy or with custom certificates. */
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
  /** How long to wait for the headers of a reply, in milliseconds. Default: the client's timeout. */
  timeout?: number | undefined;
}

/** How long to wait for the headers of a reply, and then for each piece of its body, in milliseconds. */
const DEFAULT_TIMEOUT = 60_000;

/** Sends single requests. Follows no redirect and never retries. */
export class Http implements AsyncDisposable {
  readonly #dispatcher: Dispatcher | undefined;
  #own: Agent | undefined;
  #limited: Dispatcher | undefined;
  readonly #timeout: number;

  /**
   * @param dispatcher is not closed here; without one, connections are direct and are closed at the end
   * @param timeout in milliseconds
   */
  constructor(dispatcher: HttpDispatcher | undefined, timeout: number = DEFAULT_TIMEOUT) {
    this.#dispatcher = dispatcher && withFewConnections(asDispatcher(dispatcher));
    this.#timeout = timeout;
  }

  /**
   * Resolves when the reply begins, whatever its status.
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`; errors of the request's body as they are
   */
  async send(
    url: URL,
    { method = 'GET', headers = {}, body, signal, timeout = this.#timeout }: HttpRequest = {},
  ): Promise<HttpReply> {
    signal?.throwIfAborted();
    try {
      const { Agent, request } = await import('undici');
      const reply = await request(url, {
        method,
        dispatcher: this.#dispatcher ?? this.#direct(Agent),
        // The bytes of a file are requested: a content encoding would move their offsets.
        headers: { 'user-agent': 'drayage', 'accept-encoding': 'identity', ...headers },
        headersTimeout: timeout,
        bodyTimeout: this.#timeout,
        ...(body !== undefined && { body: asBody(body) }),
        ...(signal && { signal }),
      });
      const values = (name: string): string[] => [reply.headers[name] ?? []].flat();
      return {
        status: reply.statusCode,
        header: (name) => values(name)[0],
        headers: values,
        body: reply.body,
      };
    } catch (error) {
      signal?.throwIfAborted();
      throw networkError(withoutSecrets(url), error);
    }
  }

  /** Direct connections, made with the first request: undici takes long to load. */
  #direct(Direct: typeof Agent): Dispatcher {
    this.#own ??= new Direct();
    return (this.#limited ??= withFewConnections(this.#own));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#own?.destroy();
  }
}

function asBody(body: NonNullable<HttpRequest['body']>): Uint8Array | string | Readable {
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  return body instanceof Readable ? body : Readable.from(body, { objectMode: false });
}

function asDispatcher(value: HttpDispatcher): Dispatcher {
  if (isDispatcher(value)) return value;
  throw new DrayageError('USAGE', 'the dispatcher is not one of undici');
}

function isDispatcher(value: object): value is Dispatcher {
  return 'dispatch' in value && 'destroy' in value;
}

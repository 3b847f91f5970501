import type { Readable } from 'node:stream';
import type { Agent, Dispatcher } from 'undici';
import type { ContentOptions } from '../content.ts';
import { DrayageError } from '../errors.ts';
import { withoutSecrets } from './address.ts';
import { networkError } from './network-error.ts';

/** An undici dispatcher: connections through a proxy, or with certificates of one's own. */
export interface HttpDispatcher {
  /** Sends a request, and tells the handler what comes of it. */
  dispatch(options: object, handler: object): boolean;
}

/** A reply; `body` has to be read or destroyed. */
export interface HttpReply {
  status: number;
  header(name: string): string | undefined;
  /** Errors if the connection dies before its end. */
  body: Readable;
}

/** How long to wait for a reply's headers, and then for each piece of its body, in milliseconds. */
const DEFAULT_TIMEOUT = 60_000;

/** Sends single GET requests: follows no redirect, and tries nothing twice. */
export class Http implements AsyncDisposable {
  readonly #dispatcher: Dispatcher | undefined;
  #own: Agent | undefined;
  readonly #timeout: number;

  /**
   * @param dispatcher stays open; without one, connections are made directly and closed at the end
   * @param timeout in milliseconds
   */
  constructor(dispatcher: HttpDispatcher | undefined, timeout: number = DEFAULT_TIMEOUT) {
    this.#dispatcher = dispatcher && asDispatcher(dispatcher);
    this.#timeout = timeout;
  }

  /**
   * Resolves when the reply begins, whatever its status.
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`
   */
  async get(
    url: URL,
    headers: Readonly<Record<string, string>>,
    { signal }: ContentOptions = {},
  ): Promise<HttpReply> {
    signal?.throwIfAborted();
    try {
      const { Agent, request: send } = await import('undici');
      const reply = await send(url, {
        dispatcher: this.#dispatcher ?? (this.#own ??= new Agent()),
        // What is asked for are bytes of a file: packing them once more would move their offsets.
        headers: { 'user-agent': 'drayage', 'accept-encoding': 'identity', ...headers },
        headersTimeout: this.#timeout,
        bodyTimeout: this.#timeout,
        ...(signal && { signal }),
      });
      return {
        status: reply.statusCode,
        header: (name) => [reply.headers[name] ?? []].flat()[0],
        body: reply.body,
      };
    } catch (error) {
      signal?.throwIfAborted();
      throw networkError(withoutSecrets(url), error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#own?.destroy();
  }
}

function asDispatcher(value: HttpDispatcher): Dispatcher {
  if (isDispatcher(value)) return value;
  throw new DrayageError('USAGE', 'the dispatcher is none of undici');
}

function isDispatcher(value: object): value is Dispatcher {
  return 'dispatch' in value && 'destroy' in value;
}

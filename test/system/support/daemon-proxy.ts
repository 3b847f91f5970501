import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, request as send } from 'node:http';
import type { Readable } from 'node:stream';
import { join } from 'node:path';
import { makeTempFolder, removeTempFolder } from './temp-folders.ts';

/** What a request becomes on its way to the daemon. */
export interface Forwarded {
  body: Readable | Buffer;
  headers: IncomingHttpHeaders | Record<string, string | number>;
}

/** Stands between a client and a real daemon, on a socket of its own. */
export abstract class DaemonProxy implements AsyncDisposable {
  readonly host: string;
  readonly #folder: string;
  readonly #target: string;
  readonly #server: Server;

  /**
   * @param folder its own, which it removes
   * @param target the socket of the daemon
   */
  protected constructor(folder: string, target: string) {
    this.#folder = folder;
    this.#target = target;
    this.host = `unix://${join(folder, 's')}`;
    this.#server = createServer((request, response) => {
      this.#forward(request, response).catch(() => response.destroy());
    });
  }

  /** Starts a proxy in a folder of its own. */
  protected static async open<T extends DaemonProxy>(make: (folder: string) => T): Promise<T> {
    const folder = await makeTempFolder();
    const proxy = make(folder);
    await new Promise<void>((resolve) => proxy.#server.listen(join(folder, 's'), resolve));
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await removeTempFolder(this.#folder);
  }

  /** What is sent on in place of a request. Default: the request. */
  protected async change(request: IncomingMessage): Promise<Forwarded> {
    return { body: request, headers: request.headers };
  }

  /** Hears of each chunk of a reply. */
  protected heard(_chunk: Buffer): void {}

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url: path = '' } = request;
    const { body, headers } = await this.change(request);
    const sent = send({ socketPath: this.#target, method, path, headers });
    const reply = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve).once('error', reject);
      if (Buffer.isBuffer(body)) sent.end(body);
      else body.pipe(sent);
    });
    response.writeHead(reply.statusCode ?? 500, reply.headers);
    reply.on('data', (chunk: Buffer) => this.heard(chunk));
    reply.pipe(response);
  }
}

/** Stands between a client and a real daemon, and counts what the daemon sends. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, request as send } from 'node:http';
import { join } from 'node:path';
import { makeTempFolder, removeTempFolder } from './temp-folders.ts';

/** A proxy on a socket of its own. */
export class CountingProxy implements AsyncDisposable {
  readonly host: string;
  /** The requests: `GET /images/json`. */
  readonly lines: string[] = [];
  /** Bytes of all replies. */
  bytes = 0;
  readonly #folder: string;
  readonly #target: string;
  readonly #server: Server;

  private constructor(folder: string, target: string) {
    this.#folder = folder;
    this.#target = target;
    this.host = `unix://${join(folder, 's')}`;
    this.#server = createServer((request, response) => {
      this.#forward(request, response).catch(() => response.destroy());
    });
  }

  /** @param target the socket of the daemon */
  static async start(target: string): Promise<CountingProxy> {
    const proxy = new CountingProxy(await makeTempFolder(), target);
    await new Promise<void>((resolve) => proxy.#server.listen(join(proxy.#folder, 's'), resolve));
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await removeTempFolder(this.#folder);
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url: path = '', headers } = request;
    this.lines.push(`${method} ${path.replace(/^\/v[\d.]+/, '')}`);
    const sent = send({ socketPath: this.#target, method, path, headers });
    const reply = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve).once('error', reject);
      request.pipe(sent);
    });
    response.writeHead(reply.statusCode ?? 500, reply.headers);
    for await (const chunk of reply as AsyncIterable<Buffer>) {
      this.bytes += chunk.length;
      response.write(chunk);
    }
    response.end();
  }
}

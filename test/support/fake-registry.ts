/** A registry in this process (OCI distribution-spec), with its token server, storage of another origin, and faults by script. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { TokenServer } from './fake-registry-tokens.ts';
import type { FakeRegistryOptions, RepositoryRequest } from './fake-registry-store.ts';
import { RegistryStore } from './fake-registry-store.ts';

/** Takes the place of what a server does; not where it returns `pass`. */
export type RegistryFault = (request: IncomingMessage, response: ServerResponse) => 'pass' | void;

/** What came in. */
export interface SeenRegistryRequest {
  server: 'registry' | 'token' | 'storage';
  method: string;
  /** Path and query. */
  url: string;
  authorization: string | undefined;
  range: string | undefined;
  /** Bytes of its body that came in. */
  received: number;
}

/** A running fake registry; it ends with the test. */
export class FakeRegistry {
  readonly options: FakeRegistryOptions;
  readonly seen: SeenRegistryRequest[] = [];
  /** Faults by server; each is asked before the server answers. */
  readonly faults: Partial<Record<SeenRegistryRequest['server'], RegistryFault>> = {};
  readonly store: RegistryStore;
  readonly tokens: TokenServer;
  /** As references name it: `127.0.0.1:<port>`. */
  host = '';
  readonly #servers: Record<'registry' | 'storage', Server>;
  readonly #sockets = new Set<Socket>();

  private constructor(options: FakeRegistryOptions) {
    this.options = options;
    this.store = new RegistryStore(options, (path) => `${this.#origin('storage')}${path}`);
    this.tokens = new TokenServer(options, () => options.realm ?? `${this.#origin('registry')}/token`);
    this.#servers = {
      registry: this.#server('registry', (request, response) => this.#answer(request, response)),
      storage: this.#server('storage', (request, response) => this.store.answerStorage(request, response)),
    };
  }

  static async start(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
    const fake = new FakeRegistry(options);
    await Promise.all(Object.values(fake.#servers).map(listen));
    fake.host = fake.#origin('registry').replace(/^https?:\/\//, '');
    onTestFinished(() => fake.stop());
    return fake;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      Object.values(this.#servers).map((server) => new Promise((resolve) => server.close(resolve))),
    );
  }

  /** Requests to the registry itself, `PUT /v2/app/manifests/1`, without their queries. */
  requests(pattern: RegExp = /./): string[] {
    return this.seen
      .filter(({ server }) => server === 'registry')
      .map(({ method, url }) => `${method} ${url.split('?')[0]}`)
      .filter((line) => pattern.test(line));
  }

  /** Bytes of blobs that came in. */
  get received(): number {
    const uploads = this.seen.filter(({ url }) => url.includes('/blobs/uploads/'));
    return uploads.reduce((sum, { received }) => sum + received, 0);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://registry');
    const { method = 'GET' } = request;
    const match =
      /^\/v2\/(.+)\/(blobs\/uploads|blobs|manifests|tags|referrers)\/([^/]*)$/.exec(pathname) ?? undefined;
    const [, path = '', kind = '', reference = ''] = match ?? [];
    const asked: RepositoryRequest = { method, path, kind, reference, query: searchParams };
    if (!this.tokens.allows(request, response, asked)) return;
    if (pathname === '/v2/') return void response.end('{}');
    if (match === undefined) return void response.writeHead(404).end();
    this.store.answer(asked, request, response);
  }

  /** The token server listens on the registry's own port. */
  #server(own: 'registry' | 'storage', answer: RegistryFault): Server {
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      const { url = '', headers, method = 'GET' } = request;
      const isToken = own === 'registry' && /^\/token(?:\?|$)/.test(url);
      const server = isToken ? 'token' : own;
      const { authorization, range } = headers;
      const seen: SeenRegistryRequest = { server, method, url, authorization, range, received: 0 };
      this.seen.push(seen);
      const push = request.push.bind(request);
      request.push = (chunk: unknown, encoding?: BufferEncoding) => {
        if (chunk instanceof Uint8Array) seen.received += chunk.length;
        return push(chunk, encoding);
      };
      request.on('error', () => undefined);
      const fault = this.faults[server];
      if (fault !== undefined && fault(request, response) !== 'pass') return;
      if (isToken) this.tokens.answer(request, response);
      else answer(request, response);
    };
    const { tls } = this.options;
    const created = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
    created.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
    });
    return created;
  }

  #origin(server: 'registry' | 'storage'): string {
    const { port } = this.#servers[server].address() as AddressInfo;
    return `${this.options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  }
}

/** A fault that strikes the first requests that fit, and then no more. */
export function firstTimes(
  count: number,
  fits: (request: IncomingMessage) => boolean,
  strike: (request: IncomingMessage, response: ServerResponse) => unknown,
): RegistryFault {
  let left = count;
  return (request, response) => {
    if (left === 0 || !fits(request)) return 'pass';
    left--;
    strike(request, response);
    return undefined;
  };
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}

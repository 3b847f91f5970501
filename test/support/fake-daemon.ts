/** A docker daemon in this process: the part of the Engine API that is used, on a unix socket, with faults by script. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { onTestFinished } from 'vitest';
import type { FakeImage, TakeIn } from './fake-stores.ts';
import { containerdTakesIn, graphTakesIn, podmanTakesIn } from './fake-stores.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A container of a fake daemon. */
export interface FakeContainer {
  Id: string;
  Names?: string[] | null;
  Image: string;
  ImageID: string;
}

/** Takes the place of what a daemon does on a route. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** What a fake daemon is. */
export interface FakeOptions {
  kind?: 'graph' | 'containerd' | 'podman';
  apiVersion?: string;
  images?: FakeImage[];
}

/** What came in. */
export interface SeenRequest {
  /** `GET /v1.41/images/json` */
  line: string;
  /** How its body ended, once it did. */
  body?: 'complete' | 'cut';
  /** Whether its connection ended before the reply was out. */
  cut?: boolean;
}

const STORES: Record<NonNullable<FakeOptions['kind']>, TakeIn> = {
  graph: graphTakesIn,
  containerd: containerdTakesIn,
  podman: podmanTakesIn,
};

/** A running fake daemon; it ends with the test. */
export class FakeDaemon {
  readonly host: string;
  readonly images: FakeImage[];
  /** ChainIDs of layers that no image has, as a build cache holds them. */
  readonly cache: Set<string> = new Set();
  readonly seen: SeenRequest[] = [];
  /** The files of every archive that was loaded. */
  readonly loads: string[][] = [];
  /** Its containers, in the words of the API. */
  readonly containers: FakeContainer[] = [];
  /** Faults by route: `POST /images/load`; the longest key that the request begins with counts. */
  readonly handlers: Map<string, Handler> = new Map();
  readonly #kind: NonNullable<FakeOptions['kind']>;
  readonly #apiVersion: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();

  private constructor(path: string, { kind = 'graph', apiVersion = '1.51', images = [] }: FakeOptions) {
    this.host = `unix://${path}`;
    this.images = images;
    this.#kind = kind;
    this.#apiVersion = apiVersion;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    // Like dockerd, it never hangs up on an idle connection.
    this.#server.keepAliveTimeout = 0;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(options: FakeOptions = {}): Promise<FakeDaemon> {
    const path = join(await temporaryFolder(), 's');
    const fake = new FakeDaemon(path, options);
    await new Promise<void>((resolve) => fake.#server.listen(path, resolve));
    onTestFinished(() => fake.stop());
    return fake;
  }

  /** Ends it at once, as a crash would. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** How many requests of a route were given up by the client. */
  cut(route: string): number {
    return this.seen.filter(({ line, cut }) => cut === true && unversioned(line).startsWith(route)).length;
  }

  /** The requests without the version of the API, without greeting and probes. */
  get lines(): string[] {
    const lines = this.seen.map(({ line }) => unversioned(line));
    return lines.filter((line) => !/ \/(_ping|version|info)$/.test(line));
  }

  /** What it does on a route without a fault. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await this.#answer(unversioned(`${request.method} ${request.url}`), request, response);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen: SeenRequest = { line: `${request.method} ${request.url}` };
    this.seen.push(seen);
    request.once('end', () => (seen.body = 'complete'));
    request.once('error', () => undefined).once('close', () => (seen.body ??= 'cut'));
    response.once('close', () => (seen.cut = !response.writableFinished));
    response.setHeader('Api-Version', this.#apiVersion);
    response.setHeader('Server', this.#kind === 'podman' ? 'Libpod/4.3.1 (linux)' : 'Docker/28.5.2 (linux)');
    const route = unversioned(seen.line);
    const keys = [...this.handlers.keys()].filter((key) => route.startsWith(key));
    const handler = this.handlers.get(keys.toSorted((a, b) => b.length - a.length)[0] ?? '');
    try {
      if (handler !== undefined) await handler(request, response);
      else await this.#answer(route, request, response);
    } catch {
      response.destroy();
    }
  }

  async #answer(route: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, name = ''] = /^\w+ \/images\/(.+?)(?:\/json|\/tag)?(?:\?.*)?$/.exec(route) ?? [];
    const query = new URL(route.split(' ')[1] ?? '', 'http://x').searchParams;
    if (route === 'GET /_ping') response.end('OK');
    else if (route === 'GET /version') json(response, { Version: '28.5.2', Os: 'linux', Arch: 'amd64' });
    else if (route === 'GET /info') json(response, { DriverStatus: this.#driverStatus() });
    else if (route.startsWith('GET /containers/json?all=1')) json(response, this.containers);
    else if (route.startsWith('GET /images/json')) json(response, this.#list(query.has('manifests')));
    else if (route.startsWith('GET /images/get'))
      this.#image(response, query.get('names') ?? '', () => response.end('tar'));
    else if (route.startsWith('POST /images/load')) await this.#load(request, response);
    else if (route.startsWith('GET '))
      this.#image(response, name, (image) => json(response, this.#describe(image, query.has('manifests'))));
    else if (route.startsWith('POST '))
      this.#image(response, name, (image) => this.#tag(response, image, query));
    else this.#image(response, name, (image) => this.#remove(response, image, name));
  }

  #driverStatus(): string[][] {
    return this.#kind === 'containerd'
      ? [['driver-type', 'io.containerd.snapshotter.v1']]
      : [['Backing Filesystem', 'extfs']];
  }

  #list(detailed: boolean): unknown[] {
    const listed = this.images.filter(({ unlisted }) => unlisted !== true);
    return listed.map(({ id, names, extra }) => ({
      Id: id,
      RepoTags: names,
      Size: 1,
      Created: 1_700_000_000,
      ...(detailed && extra !== undefined && 'Manifests' in extra && { Manifests: extra['Manifests'] }),
    }));
  }

  #image(response: ServerResponse, name: string, use: (image: FakeImage) => void): void {
    // Podman takes a shortened ID only without its algorithm.
    if (this.#kind === 'podman' && /^sha256:[0-9a-f]{0,63}$/.test(name)) {
      json(response, { message: `${name}: invalid format: no 64-byte hexadecimal value` }, 500);
      return;
    }
    const image = this.images.find(
      ({ id, names }) => id === name || id.startsWith(`sha256:${name}`) || names.includes(name),
    );
    if (image === undefined) json(response, { message: `No such image: ${name}` }, 404);
    else use(image);
  }

  #describe({ id, names, diffIds, extra, content, manifests }: FakeImage, detailed: boolean): unknown {
    const Manifests = manifests?.map(({ digest, needs }) => ({
      ID: digest,
      Available: needs.every((need) => content?.has(need)),
    }));
    return {
      Id: id,
      RepoTags: names,
      RootFS: { Layers: diffIds },
      Architecture: 'amd64',
      Os: 'linux',
      ...(detailed && Number(this.#apiVersion.slice(2)) >= 48 && { Manifests }),
      ...extra,
    };
  }

  #tag(response: ServerResponse, image: FakeImage, query: URLSearchParams): void {
    this.#moveName(image, `${query.get('repo')}:${query.get('tag')}`);
    response.writeHead(201).end();
  }

  #moveName(image: FakeImage, name: string): void {
    for (const other of this.images) other.names = other.names.filter((taken) => taken !== name);
    image.names.push(name);
  }

  #remove(response: ServerResponse, image: FakeImage, name: string): void {
    const isName = image.names.includes(name);
    if (!isName && image.names.length > 1) {
      json(response, { message: 'conflict: image is referenced in multiple repositories' }, 409);
      return;
    }
    if (image.names.length <= 1 && this.containers.some(({ ImageID }) => ImageID === image.id)) {
      json(response, { message: 'conflict: container is using its referenced image' }, 409);
      return;
    }
    image.names = isName ? image.names.filter((taken) => taken !== name) : [];
    if (image.names.length === 0) this.images.splice(this.images.indexOf(image), 1);
    json(response, [{ Untagged: name }]);
  }

  async #load(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const files = await readFiles(request);
    this.loads.push([...files.keys()]);
    const { image, names, says, status = 200 } = STORES[this.#kind](files, this);
    if (image !== undefined) this.#keep(image, names);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(says.map((line) => `${JSON.stringify(line)}\r\n`).join(''));
  }

  /** A containerd store takes over content that comes again; the others find the image and leave it. */
  #keep(image: FakeImage, names: string[]): void {
    const known = this.images.find(({ id }) => id === image.id);
    if (known === undefined) this.images.push(image);
    else if (image.content !== undefined) Object.assign(known, { ...image, names: known.names });
    for (const name of names) this.#moveName(known ?? image, name);
  }
}

function unversioned(line: string): string {
  return line.replace(/ \/v[\d.]+/, ' ');
}

/** Answers with JSON. */
export function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

async function readFiles(archive: IncomingMessage): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const entry of archive.pipe(extract())) files.set(entry.header.name, await buffer(entry));
  return files;
}

/** A docker daemon in this process: the part of the Engine API that is used, on a unix socket, with faults by script. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import * as v from 'valibot';
import { onTestFinished } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** An image in a fake daemon. */
export interface FakeImage {
  id: string;
  names: string[];
  diffIds: string[];
  /** Taken for the answer to inspect as it is. */
  extra?: Record<string, unknown>;
  /** Left out of the list, as docker 26 does with broken images. Default false. */
  unlisted?: boolean;
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

/** A running fake daemon; it ends with the test. */
export class FakeDaemon {
  readonly host: string;
  readonly images: FakeImage[];
  readonly seen: SeenRequest[] = [];
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
    else if (route.startsWith('GET /images/json')) json(response, this.#list());
    else if (route.startsWith('GET /images/get'))
      this.#image(response, query.get('names') ?? '', () => response.end('tar'));
    else if (route.startsWith('POST /images/load')) await this.#load(request, response);
    else if (route.startsWith('GET '))
      this.#image(response, name, (image) => json(response, describe(image)));
    else if (route.startsWith('POST '))
      this.#image(response, name, (image) => this.#tag(response, image, query));
    else this.#image(response, name, (image) => this.#remove(response, image, name));
  }

  #driverStatus(): string[][] {
    return this.#kind === 'containerd'
      ? [['driver-type', 'io.containerd.snapshotter.v1']]
      : [['Backing Filesystem', 'extfs']];
  }

  #list(): unknown[] {
    const listed = this.images.filter(({ unlisted }) => unlisted !== true);
    return listed.map(({ id, names }) => ({ Id: id, RepoTags: names, Size: 1, Created: 1_700_000_000 }));
  }

  #image(response: ServerResponse, name: string, use: (image: FakeImage) => void): void {
    const image = this.images.find(
      ({ id, names }) => id === name || id.startsWith(`sha256:${name}`) || names.includes(name),
    );
    if (image === undefined) json(response, { message: `No such image: ${name}` }, 404);
    else use(image);
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
    image.names = isName ? image.names.filter((taken) => taken !== name) : [];
    if (image.names.length === 0) this.images.splice(this.images.indexOf(image), 1);
    json(response, [{ Untagged: name }]);
  }

  async #load(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const loaded = await readArchive(request, this.#kind === 'containerd');
    let image = this.images.find(({ id }) => id === loaded.id);
    if (image === undefined) {
      image = { ...loaded, names: [] };
      this.images.push(image);
    }
    for (const name of loaded.names) this.#moveName(image, name);
    const text =
      loaded.names.length > 0 ? `Loaded image: ${loaded.names[0]}` : `Loaded image ID: ${loaded.id}`;
    response.setHeader('Content-Type', 'application/json');
    response.end(`${JSON.stringify({ stream: `${text}\n` })}\r\n`);
  }
}

function unversioned(line: string): string {
  return line.replace(/ \/v[\d.]+/, ' ');
}

/** Answers with JSON. */
export function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function describe({ id, names, diffIds, extra }: FakeImage): unknown {
  return {
    Id: id,
    RepoTags: names,
    RootFS: { Layers: diffIds },
    Architecture: 'amd64',
    Os: 'linux',
    ...extra,
  };
}

const manifestSchema = v.strictTuple([
  v.object({ Config: v.string(), RepoTags: v.nullish(v.array(v.string())) }),
]);
const indexSchema = v.object({ manifests: v.looseTuple([v.object({ digest: v.string() })]) });
const configSchema = v.object({ rootfs: v.object({ diff_ids: v.array(v.string()) }) });

async function readArchive(archive: IncomingMessage, isOci: boolean): Promise<FakeImage> {
  const files = new Map<string, Buffer>();
  for await (const entry of archive.pipe(extract())) files.set(entry.header.name, await buffer(entry));
  const parse = (name: string): unknown => JSON.parse(String(files.get(name)));
  const [docker] = v.parse(manifestSchema, parse('manifest.json'));
  const config = files.get(docker.Config) ?? Buffer.alloc(0);
  const diffIds = v.parse(configSchema, JSON.parse(String(config))).rootfs.diff_ids;
  const names = docker.RepoTags ?? [];
  return {
    id: isOci ? v.parse(indexSchema, parse('index.json')).manifests[0].digest : digestOf(config),
    names,
    diffIds,
  };
}

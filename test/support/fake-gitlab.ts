/** A GitLab in this process: the part of the artifact API that is used, object storage of another origin, faults by script. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A job in a fake GitLab. */
export interface FakeJob {
  id: number;
  name: string;
  /** Default `success`. */
  status?: string;
  /** Its archive; none where it has expired, or never was. */
  archive?: Buffer;
  /** Its files, where they are handed out one by one. */
  files?: ReadonlyMap<string, Buffer>;
  expireAt?: string;
}

/** Takes the place of what a server does; not where it returns `pass`. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => 'pass' | void;

/** What a fake GitLab is. */
export interface FakeGitLabOptions {
  jobs?: FakeJob[];
  /** Whether parts of the archive are handed out. Default true. */
  ranges?: boolean;
  /** Whether the archive is in object storage, to which the API redirects. Default true. */
  redirect?: boolean;
  /** Who may list the jobs of a pipeline. Default both. */
  mayList?: ('job-token' | 'private-token')[];
  /** Whether it describes a job to a job token. Default false. */
  describes?: boolean;
  /** Whether it has the licence without which the project's routes are closed to job tokens. Default true. */
  licensed?: boolean;
  /** Has it speak TLS. */
  tls?: { key: string; cert: string };
  /** Whether files are listed, from GitLab 18.8 on. Default false. */
  lists?: boolean;
}

/** What came in. */
export interface SeenRequest {
  server: 'api' | 'storage';
  /** Path and query. */
  url: string;
  range: string | undefined;
  /** The headers that hold a token. */
  tokens: string[];
  /** Bytes of body that were sent in return. */
  sent: number;
}

export const JOB_TOKEN = 'secret-job-token';
export const TOKEN = 'secret-personal-token';

/** A running fake GitLab. */
export class FakeGitLab {
  readonly seen: SeenRequest[] = [];
  /** Faults by server; each is asked before the server answers. */
  readonly faults: { api?: Fault; storage?: Fault } = {};
  readonly options: FakeGitLabOptions;
  /** CI_API_V4_URL */
  url = '';
  /** How often an address was signed; only the latest ones are good when it is raised. */
  signature = 1;
  readonly #api: Server;
  readonly #storage: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: FakeGitLabOptions) {
    this.options = options;
    this.#api = this.#server('api', (request, response) => this.#answer(request, response));
    this.#storage = this.#server('storage', (request, response) => this.#store(request, response));
  }

  static async start(options: FakeGitLabOptions = {}): Promise<FakeGitLab> {
    const fake = await FakeGitLab.open(options);
    onTestFinished(() => fake.stop());
    return fake;
  }

  /** The same outside a test: it ends with {@link FakeGitLab.stop}. */
  static async open(options: FakeGitLabOptions = {}): Promise<FakeGitLab> {
    const fake = new FakeGitLab(options);
    await Promise.all([listen(fake.#api), listen(fake.#storage)]);
    fake.url = `${origin(fake.#api, options)}/api/v4`;
    return fake;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      [this.#api, this.#storage].map((server) => new Promise((resolve) => server.close(resolve))),
    );
  }

  /** Bytes of bodies that it sent. */
  get sent(): number {
    return this.seen.reduce((sum, { sent }) => sum + sent, 0);
  }

  /** Requests of parts of the archive. */
  get ranges(): string[] {
    return this.seen.flatMap(({ range, server }) =>
      server === 'storage' && range !== undefined ? [range] : [],
    );
  }

  #server(server: 'api' | 'storage', answer: Fault): Server {
    const { tls } = this.options;
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      const { url = '', headers } = request;
      const tokens = ['job-token', 'private-token', 'authorization'].filter((name) => name in headers);
      const seen: SeenRequest = { server, url, range: headers.range, tokens, sent: 0 };
      this.seen.push(seen);
      count(response, (bytes) => (seen.sent += bytes));
      const fault = this.faults[server];
      if (fault === undefined || fault(request, response) === 'pass') answer(request, response);
    };
    const created = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
    created.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
    });
    return created;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', this.url);
    const path = url.pathname.replace('/api/v4/', '');
    const as = credential(request);
    const route = ROUTES.map(({ pattern, kind }) => ({ kind, match: pattern.exec(path) })).find(
      ({ match }) => match,
    );
    if (as === undefined) return status(response, 401);
    if (route === undefined) return status(response, 404);
    const [, first = '', second = ''] = route.match ?? [];
    if (route.kind === 'runner')
      return as === 'job-token' ? this.#archive(this.#job(first), request, response) : status(response, 403);
    if (as === 'job-token' && this.options.licensed === false) return status(response, 404);
    if (route.kind === 'jobs') return this.#list(as, url, response);
    if (route.kind === 'ref')
      return this.#archive(this.#named(url.searchParams.get('job')), request, response);
    if (route.kind === 'job') return this.#describe(as, this.#job(first), response);
    if (route.kind === 'archive') return this.#archive(this.#job(first), request, response);
    if (route.kind === 'tree') return this.#tree(this.#job(first), url, response);
    return this.#file(this.#job(first), decodeURIComponent(second), response);
  }

  #job(id: string): FakeJob | undefined {
    return this.options.jobs?.find((job) => String(job.id) === id);
  }

  #named(name: string | null): FakeJob | undefined {
    return this.options.jobs?.find((job) => job.name === name);
  }

  #list(as: 'job-token' | 'private-token', url: URL, response: ServerResponse): void {
    const { mayList = ['job-token', 'private-token'], jobs = [] } = this.options;
    if (!mayList.includes(as)) return status(response, 403);
    const all = jobs.map(({ id, name, status: state = 'success', archive, expireAt }) => ({
      id,
      name,
      status: state,
      artifacts_file: archive && { filename: 'artifacts.zip', size: archive.length },
      artifacts_expire_at: expireAt ?? null,
    }));
    page(all, url, response);
  }

  /** GitLab describes other jobs to other tokens than a job's only. */
  #describe(as: 'job-token' | 'private-token', job: FakeJob | undefined, response: ServerResponse): void {
    if (as === 'job-token' && this.options.describes !== true) return status(response, 403);
    if (job === undefined) return status(response, 404);
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ id: job.id, name: job.name, artifacts_expire_at: job.expireAt ?? null }));
  }

  #archive(job: FakeJob | undefined, request: IncomingMessage, response: ServerResponse): void {
    if (job?.archive === undefined) return status(response, 404);
    if (this.options.redirect === false) return this.#send(job.archive, request, response);
    const location = `${origin(this.#storage, this.options)}/bucket/${job.id}?signature=${this.signature}`;
    response.writeHead(302, { location }).end();
  }

  #store(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://storage');
    // A signed address with a token beside it is refused, as S3 does.
    if (credential(request) !== undefined || request.headers.authorization !== undefined)
      return status(response, 400);
    if (url.searchParams.get('signature') !== String(this.signature)) return status(response, 403);
    const job = this.#job(url.pathname.split('/').at(-1) ?? '');
    if (job?.archive === undefined) return status(response, 404);
    this.#send(job.archive, request, response);
  }

  #send(bytes: Buffer, request: IncomingMessage, response: ServerResponse): void {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    if (this.options.ranges === false || first === undefined) {
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      return;
    }
    const part = bytes.subarray(Number(first), Number(last) + 1);
    if (part.length === 0) return status(response, 416);
    const range = `bytes ${first}-${Number(first) + part.length - 1}/${bytes.length}`;
    response.writeHead(206, { 'content-range': range, 'content-length': part.length }).end(part);
  }

  #tree(job: FakeJob | undefined, url: URL, response: ServerResponse): void {
    if (this.options.lists !== true || job?.files === undefined) return status(response, 404);
    const files = [...job.files].map(([path, bytes]) => ({
      name: path.split('/').at(-1),
      path,
      type: 'file',
      size: bytes.length,
      mode: '100644',
    }));
    page(
      [{ name: '.drayage', path: '.drayage', type: 'directory', size: null, mode: '40755' }, ...files],
      url,
      response,
    );
  }

  #file(job: FakeJob | undefined, path: string, response: ServerResponse): void {
    const bytes = job?.files?.get(path);
    if (bytes === undefined) return status(response, 404);
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  }
}

const ROUTES = [
  { kind: 'runner', pattern: /^jobs\/(\d+)\/artifacts$/ },
  { kind: 'jobs', pattern: /^projects\/[^/]+\/pipelines\/(\d+)\/jobs$/ },
  { kind: 'ref', pattern: /^projects\/[^/]+\/jobs\/artifacts\/([^/]+)\/download$/ },
  { kind: 'job', pattern: /^projects\/[^/]+\/jobs\/(\d+)$/ },
  { kind: 'archive', pattern: /^projects\/[^/]+\/jobs\/(\d+)\/artifacts$/ },
  { kind: 'tree', pattern: /^projects\/[^/]+\/jobs\/(\d+)\/artifacts\/tree$/ },
  { kind: 'file', pattern: /^projects\/[^/]+\/jobs\/(\d+)\/artifacts\/(.+)$/ },
] as const;

function credential({ headers }: IncomingMessage): 'job-token' | 'private-token' | undefined {
  if (headers['job-token'] === JOB_TOKEN) return 'job-token';
  return headers['private-token'] === TOKEN ? 'private-token' : undefined;
}

function status(response: ServerResponse, code: number): void {
  response
    .writeHead(code, { 'content-type': 'application/json' })
    .end(JSON.stringify({ message: `${code}` }));
}

function page(items: readonly unknown[], url: URL, response: ServerResponse): void {
  const size = Number(url.searchParams.get('per_page') ?? 20);
  const number = Number(url.searchParams.get('page') ?? 1);
  const next = number * size < items.length ? String(number + 1) : '';
  response.writeHead(200, { 'content-type': 'application/json', 'x-next-page': next });
  response.end(JSON.stringify(items.slice((number - 1) * size, number * size)));
}

function origin(server: Server, { tls }: FakeGitLabOptions): string {
  const { port } = server.address() as AddressInfo;
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}

function count(response: ServerResponse, add: (bytes: number) => void): void {
  const write = response.write.bind(response) as (...args: unknown[]) => boolean;
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
  response.write = (...args: unknown[]) => {
    add(bytesOf(args[0]));
    return write(...args);
  };
  response.end = (...args: unknown[]) => {
    add(bytesOf(args[0]));
    return end(...args);
  };
}

function bytesOf(chunk: unknown): number {
  return chunk instanceof Uint8Array || typeof chunk === 'string' ? Buffer.byteLength(chunk) : 0;
}

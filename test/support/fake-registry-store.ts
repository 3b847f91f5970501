/** What a fake registry holds, and how it gives and takes that. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Digest } from '../../src/oci/digest.ts';
import { digestAlgorithm, digestOf, isDigest } from '../../src/oci/digest.ts';
import { OCI_INDEX } from '../../src/oci/media-types.ts';

/** What a fake registry is. */
export interface FakeRegistryOptions {
  /** Whether it has the referrers API. Default true. */
  referrers?: boolean;
  /** What it wants to be shown; default nothing. */
  auth?: 'basic' | 'token';
  /** Whether the token server gives tokens for reading without a credential. Default false. */
  anonymous?: boolean;
  /** Whether it takes no blob in one request. Default false. */
  chunkedOnly?: boolean;
  /** The smallest piece that it takes, in bytes; it says so. */
  minChunk?: number;
  /** Whether blobs are in storage of another origin. Default false. */
  redirect?: boolean;
  /** What can be deleted. Default `tags`. */
  deletes?: 'tags' | 'manifests' | 'nothing';
  /** The address of the token server, as its challenges state it. Default: `/token` at the registry's own address. */
  realm?: string;
  /** Has all of it speak TLS. */
  tls?: { key: string; cert: string };
}

/** A request below `/v2/<path>/`. */
export interface RepositoryRequest {
  method: string;
  /** `group/app` */
  path: string;
  /** `blobs`, `blobs/uploads`, `manifests`, `tags`, `referrers` */
  kind: string;
  /** Digest, tag, or the ID of an upload. */
  reference: string;
  query: URLSearchParams;
}

/** A repository of a fake registry. A test may put other bytes under a digest. */
export interface FakeRepository {
  blobs: Map<Digest, Buffer>;
  manifests: Map<Digest, { mediaType: string; bytes: Buffer }>;
  tags: Map<string, Digest>;
}

/** The query of addresses that the registry hands out: it is a key. */
const SIGNATURE = 'planted-signature';

export class RegistryStore {
  readonly repositories: Map<string, FakeRepository> = new Map<string, FakeRepository>();
  /** Uploads that go on. */
  readonly uploads: Map<string, Buffer[]> = new Map<string, Buffer[]>();
  /** How many tags come at a time, where a client does not want fewer. */
  page = 1000;
  #lastPiece = 0;
  readonly #options: FakeRegistryOptions;
  readonly #storage: (path: string) => string;

  constructor(options: FakeRegistryOptions, storage: (path: string) => string) {
    this.#options = options;
    this.#storage = storage;
  }

  repository(path: string): FakeRepository {
    const made = this.repositories.get(path) ?? { blobs: new Map(), manifests: new Map(), tags: new Map() };
    this.repositories.set(path, made);
    return made;
  }

  answer(asked: RepositoryRequest, request: IncomingMessage, response: ServerResponse): void {
    const { kind, path } = asked;
    if (kind === 'blobs/uploads') return this.#upload(asked, request, response);
    if (kind === 'blobs') return this.#blob(asked, request, response);
    if (kind === 'tags') return this.#tags(asked, response);
    if (kind === 'referrers') return this.#referrers(asked, response);
    if (asked.method === 'PUT')
      return collect(request, (bytes) => this.#put(asked, request, bytes, response));
    if (asked.method === 'DELETE') return this.#delete(asked, response);
    const digest = this.#digestOf(asked);
    const found = digest && this.repository(path).manifests.get(digest);
    if (digest === undefined || found === undefined) return refuse(response, 404, 'MANIFEST_UNKNOWN');
    if (request.headers.accept?.includes(found.mediaType) !== true)
      return refuse(response, 404, 'MANIFEST_UNKNOWN');
    response.setHeader('docker-content-digest', digest);
    send(asked.method, found.bytes, found.mediaType, request, response);
  }

  /** What the storage of another origin answers: nothing to those who show a credential, as S3 does. */
  answerStorage(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://storage');
    const isSigned = url.searchParams.get('signature') === SIGNATURE;
    if (request.headers.authorization !== undefined || !isSigned) return refuse(response, 400, 'SIGNED');
    const [, path = '', digest = ''] = /^\/(.+)\/([^/]+)$/.exec(url.pathname) ?? [];
    const bytes = isDigest(digest) ? this.repository(path).blobs.get(digest) : undefined;
    if (bytes === undefined) return refuse(response, 404, 'NONE');
    send(request.method ?? 'GET', bytes, 'application/octet-stream', request, response);
  }

  #digestOf({ path, reference }: RepositoryRequest): Digest | undefined {
    return isDigest(reference) ? reference : this.repository(path).tags.get(reference);
  }

  #blob(
    { method, path, reference }: RepositoryRequest,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const bytes = isDigest(reference) ? this.repository(path).blobs.get(reference) : undefined;
    if (bytes === undefined) return refuse(response, 404, 'BLOB_UNKNOWN');
    if (this.#options.redirect === true) {
      const location = this.#storage(`/${path}/${reference}?signature=${SIGNATURE}`);
      return void response.writeHead(307, { location }).end();
    }
    send(method, bytes, 'application/octet-stream', request, response);
  }

  #upload(asked: RepositoryRequest, request: IncomingMessage, response: ServerResponse): void {
    const { method, path, reference, query } = asked;
    if (method === 'POST') return this.#begin(asked, response);
    const held = this.uploads.get(reference);
    if (held === undefined) return refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN');
    const location = `/v2/${path}/blobs/uploads/${reference}?_state=${SIGNATURE}`;
    if (method === 'DELETE') {
      this.uploads.delete(reference);
      return void response.writeHead(204).end();
    }
    const offset = lengthOf(held);
    const range = { location, range: `0-${Math.max(0, offset - 1)}` };
    if (method === 'GET') return void response.writeHead(204, range).end();
    const size = Number(request.headers['content-length'] ?? 0);
    const [, first] = /^(\d+)-/.exec(request.headers['content-range'] ?? '') ?? [];
    if (method === 'PATCH' && first !== undefined && Number(first) !== offset)
      return refuse(response, 416, 'BLOB_UPLOAD_INVALID');
    // Only the last piece may be smaller: another after it shows that it was not the last.
    const { minChunk = 0 } = this.#options;
    if (method === 'PATCH' && held.length > 0 && this.#lastPiece < minChunk)
      return refuse(response, 400, 'SIZE_INVALID');
    if (method === 'PATCH') this.#lastPiece = size;
    if (method === 'PUT' && size > 0 && this.#options.chunkedOnly === true)
      return refuse(response, 400, 'BLOB_UPLOAD_INVALID');
    // What comes in before a connection breaks is kept.
    request.on('data', (chunk: Buffer) => held.push(chunk));
    request.on('end', () => {
      if (method === 'PATCH') return void response.writeHead(202, { ...range, location }).end();
      const digest = query.get('digest') ?? '';
      const bytes = Buffer.concat(held);
      this.uploads.delete(reference);
      if (!isDigest(digest) || digestOf(bytes, digestAlgorithm(digest)) !== digest)
        return refuse(response, 400, 'DIGEST_INVALID');
      this.repository(path).blobs.set(digest, bytes);
      response.writeHead(201, { location: `/v2/${path}/blobs/${digest}` }).end();
    });
  }

  #begin({ path, query }: RepositoryRequest, response: ServerResponse): void {
    const [mount, from] = [query.get('mount') ?? '', query.get('from')];
    const bytes = from !== null && isDigest(mount) ? this.repository(from).blobs.get(mount) : undefined;
    if (bytes !== undefined && isDigest(mount)) {
      this.repository(path).blobs.set(mount, bytes);
      return void response.writeHead(201, { location: `/v2/${path}/blobs/${mount}` }).end();
    }
    const id = randomUUID();
    this.uploads.set(id, []);
    const { minChunk } = this.#options;
    const location = `/v2/${path}/blobs/uploads/${id}?_state=${SIGNATURE}`;
    response.writeHead(202, { location, ...(minChunk && { 'oci-chunk-min-length': minChunk }) }).end();
  }

  #put(
    { path, reference }: RepositoryRequest,
    request: IncomingMessage,
    bytes: Buffer,
    response: ServerResponse,
  ): void {
    const { manifests, blobs, tags } = this.repository(path);
    const value = JSON.parse(bytes.toString()) as {
      config?: { digest: Digest };
      layers?: { digest: Digest }[];
      manifests?: { digest: Digest }[];
      subject?: { digest: Digest };
    };
    const named = [value.config ?? [], value.layers ?? []].flat();
    // Lists of referrers may name what is not there; images may not.
    const children = /^sha\d+-/.test(reference) ? [] : (value.manifests ?? []);
    if (!named.every(({ digest }) => blobs.has(digest)))
      return refuse(response, 400, 'MANIFEST_BLOB_UNKNOWN');
    if (!children.every(({ digest }) => manifests.has(digest)))
      return refuse(response, 400, 'MANIFEST_BLOB_UNKNOWN');
    const digest = digestOf(bytes);
    if (isDigest(reference) && reference !== digest) return refuse(response, 400, 'DIGEST_INVALID');
    manifests.set(digest, { mediaType: request.headers['content-type'] ?? '', bytes });
    if (!isDigest(reference)) tags.set(reference, digest);
    const processed = value.subject !== undefined && this.#options.referrers !== false;
    response
      .writeHead(201, {
        'docker-content-digest': digest,
        ...(processed && { 'oci-subject': value.subject?.digest }),
      })
      .end();
  }

  #delete({ path, reference }: RepositoryRequest, response: ServerResponse): void {
    const { manifests, tags } = this.repository(path);
    const { deletes = 'tags' } = this.#options;
    if (deletes === 'nothing') return refuse(response, 405, 'UNSUPPORTED');
    if (!isDigest(reference)) {
      if (deletes !== 'tags') return refuse(response, 400, 'DIGEST_INVALID');
      return void response.writeHead(tags.delete(reference) ? 202 : 404).end();
    }
    for (const [tag, digest] of tags) if (digest === reference) tags.delete(tag);
    response.writeHead(manifests.delete(reference) ? 202 : 404).end();
  }

  #tags({ path, query }: RepositoryRequest, response: ServerResponse): void {
    if (!this.repositories.has(path)) return refuse(response, 404, 'NAME_UNKNOWN');
    const size = Math.min(this.page, Number(query.get('n') ?? this.page));
    const all = [...this.repository(path).tags.keys()].toSorted();
    const rest = all.filter((tag) => tag > (query.get('last') ?? ''));
    const tags = rest.slice(0, size);
    if (rest.length > size) {
      response.setHeader('link', `</v2/${path}/tags/list?n=${size}&last=${tags.at(-1)}>; rel="next"`);
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ name: path, tags }));
  }

  #referrers({ path, reference }: RepositoryRequest, response: ServerResponse): void {
    if (this.#options.referrers === false) return void response.writeHead(404).end('404 page not found');
    const found = [...this.repository(path).manifests].flatMap(([digest, { mediaType, bytes }]) => {
      const value = JSON.parse(bytes.toString()) as {
        subject?: { digest: string };
        artifactType?: string;
        config?: { mediaType: string };
        annotations?: object;
      };
      if (value.subject?.digest !== reference) return [];
      const { artifactType = value.config?.mediaType, annotations } = value;
      return [{ mediaType, digest, size: bytes.length, artifactType, annotations }];
    });
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: found };
    response.writeHead(200, { 'content-type': OCI_INDEX }).end(JSON.stringify(index));
  }
}

/** Refuses as registries do. */
export function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message: 'refused by the fake' }] }));
}

function send(
  method: string,
  bytes: Buffer,
  type: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const [, first] = /^bytes=(\d+)-/.exec(request.headers.range ?? '') ?? [];
  const part = first === undefined ? bytes : bytes.subarray(Number(first));
  if (first !== undefined && part.length === 0) return refuse(response, 416, 'RANGE');
  response.setHeader('content-type', type);
  response.setHeader('content-length', part.length);
  if (first !== undefined)
    response.setHeader('content-range', `bytes ${first}-${bytes.length - 1}/${bytes.length}`);
  response.writeHead(first === undefined ? 200 : 206);
  response.end(method === 'HEAD' ? undefined : part);
}

function collect(request: IncomingMessage, then: (bytes: Buffer) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => then(Buffer.concat(chunks)));
}

function lengthOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

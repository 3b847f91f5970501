import type { ContentOptions } from '../content/source.ts';
import type { ErrorFacts } from '../errors.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import type { HttpRequest } from '../http/http.ts';
import { addressIn, reachedAt } from '../http/redirect.ts';
import type { HttpReply } from '../http/reply.ts';
import { drop } from '../http/reply.ts';
import type { Digest } from '../oci/digest.ts';
import { unsafeRedirect, uploadLost } from './errors.ts';
import type { RepositoryAddress } from './repository-address.ts';
import { repositoryScope } from './repository-address.ts';

/** Options of {@link UploadSession.begin}. */
export interface BeginUploadOptions extends ContentOptions {
  /** Asks to mount content from another repository of the registry: its digest, and the path of that repository. */
  mount?: { digest: Digest; from: string };
}

/** Bytes to send; made again when they have to be sent again. */
export interface Payload {
  size: number;
  open: () => Promise<NonNullable<HttpRequest['body']>>;
}

/**
 * The largest piece that is held in memory because a registry requires it, in bytes. Each upload holds one, and for a
 * moment twice that; several uploads run at a time.
 */
const MAX_CHUNK = 32 * 1024 * 1024;
const BYTES = 'application/octet-stream';

/**
 * One upload of a blob (OCI distribution-spec, pushing blobs). The registry names an address, takes bytes there, and
 * stores them when it gets their digest. Each request is made once; after a failure {@link UploadSession.received} says
 * what arrived.
 */
export class UploadSession {
  /** The smallest piece that the registry accepts, in bytes, except for the last one. */
  readonly #minChunk: number;
  readonly #repository: RepositoryAddress;
  #location: URL;

  private constructor(repository: RepositoryAddress, location: URL, minChunk: number) {
    this.#repository = repository;
    this.#location = location;
    this.#minChunk = minChunk;
  }

  /**
   * Begins an upload.
   * @returns `mounted` if there is nothing to upload, because the registry mounted the content from another repository
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `NOT_FOUND`
   */
  static async begin(
    repository: RepositoryAddress,
    { mount, signal }: BeginUploadOptions = {},
  ): Promise<UploadSession | 'mounted'> {
    const { api, path, name } = repository;
    const scopes = [repositoryScope(repository, 'pull', 'push')];
    const to = `${path}/blobs/uploads/`;
    if (mount !== undefined) {
      const query = `?mount=${mount.digest}&from=${encodeURIComponent(mount.from)}`;
      const both = [...scopes, repositoryScope({ path: mount.from }, 'pull')];
      const reply = await api
        .ask({ method: 'POST', to: to + query, scopes: both, signal })
        .catch(undefinedIfRefused);
      if (reply !== undefined) drop(reply);
      if (reply?.status === 201) return 'mounted';
      if (reply?.status === 202) return UploadSession.#of(repository, reply);
      // Reading there may be forbidden: then the content is uploaded like any other.
    }
    const reply = await api.ask({ method: 'POST', to, scopes, signal });
    if (reply.status !== 202) throw await api.refusal(reply, name);
    return UploadSession.#of(repository, reply);
  }

  static async #of(repository: RepositoryAddress, reply: HttpReply): Promise<UploadSession> {
    drop(reply);
    const { api, path } = repository;
    const base = await api.address(`${path}/blobs/uploads/`, {});
    const minChunk = Number(reply.header('oci-chunk-min-length') ?? 0);
    return new UploadSession(
      repository,
      locationOf(reply, base),
      Number.isSafeInteger(minChunk) ? minChunk : 0,
    );
  }

  /**
   * The size of the pieces to send, in bytes. Each is held in memory.
   * @param wanted in bytes; a registry may require more
   * @throws {@link DrayageError} `LIMIT` if it requires too much
   */
  chunkSize(wanted: number): number {
    if (this.#minChunk <= MAX_CHUNK) return Math.max(wanted, this.#minChunk);
    const { name } = this.#repository;
    throw new DrayageError('LIMIT', `${name}: the registry accepts no pieces below ${this.#minChunk} bytes`, {
      expected: MAX_CHUNK,
      actual: this.#minChunk,
      hint: `OCI-Chunk-Min-Length may be ${MAX_CHUNK} bytes at most; pieces are held in memory`,
    });
  }

  /** Sends all bytes, or the last ones, or none if all are there, and makes the registry store them under a digest. */
  async commit(digest: Digest, payload: Payload | undefined, options: ContentOptions): Promise<void> {
    const to = new URL(this.#location);
    // As text, because rewriting the query may break a signature in it.
    to.search += `${to.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`;
    const reply = await this.#send('PUT', to, payload, {}, options);
    if (reply.status !== 201 && reply.status !== 204 && reply.status !== 200)
      throw await this.#refusal(reply, { digest });
    drop(reply);
  }

  /** Sends a piece that begins after `offset` bytes. */
  async append(offset: number, payload: Payload, options: ContentOptions): Promise<void> {
    const range = { 'content-range': `${offset}-${offset + payload.size - 1}` };
    const reply = await this.#send('PATCH', this.#location, payload, range, options);
    if (reply.status < 200 || reply.status > 299) throw await this.#refusal(reply);
    drop(reply);
    this.#location = locationOf(reply, this.#location);
  }

  /** How many bytes the registry has received; undefined if it no longer knows the upload. */
  async received({ signal }: ContentOptions): Promise<number | undefined> {
    const { api } = this.#repository;
    const reply = await api.ask({ to: this.#location, scopes: this.#scopes(), signal });
    drop(reply);
    if (reply.status !== 204) return undefined;
    this.#location = locationOf(reply, this.#location);
    const [, last] = /^(?:bytes=)?0-(\d{1,15})$/.exec(reply.header('range') ?? '') ?? [];
    // Registries report `0-0` for an upload without any bytes.
    return last === undefined || last === '0' ? 0 : Number(last) + 1;
  }

  /** Cancels the upload in the registry. Never fails: the registry forgets it later by itself. */
  async cancel(): Promise<void> {
    const { api } = this.#repository;
    await api
      .send({ method: 'DELETE', to: this.#location, scopes: this.#scopes() })
      .then(drop, () => undefined);
  }

  #scopes(): string[] {
    return [repositoryScope(this.#repository, 'pull', 'push')];
  }

  async #send(
    method: 'PUT' | 'PATCH',
    to: URL,
    payload: Payload | undefined,
    headers: Record<string, string>,
    { signal }: ContentOptions,
  ): Promise<HttpReply> {
    const size = payload?.size ?? 0;
    return this.#repository.api.send({
      method,
      to,
      scopes: this.#scopes(),
      headers: { 'content-type': BYTES, 'content-length': String(size), ...headers },
      ...(payload !== undefined && size > 0 && { body: payload.open }),
      // At the end, the registry may move and hash all of it before it answers.
      isLong: true,
      signal,
    });
  }

  async #refusal(reply: HttpReply, facts?: ErrorFacts): Promise<Error> {
    const { api, name } = this.#repository;
    const refused = await api.refusal(reply, name, facts);
    const isLost = [404, 410, 416].includes(reply.status) || /\bBLOB_UPLOAD_/.test(refused.message);
    return isLost ? uploadLost(name, refused) : refused;
  }
}

/** A token server that forbids reading the other repository may issue no token at all. */
function undefinedIfRefused(error: unknown): undefined {
  const status = isDrayageError(error) ? error.facts.status : undefined;
  if (![400, 401, 403, 404].includes(status ?? 0)) throw error;
}

/**
 * The next address of the upload. A registry behind a proxy may call itself by http, although it is reached by https.
 */
function locationOf(reply: HttpReply, base: URL): URL {
  const text = reply.header('location');
  if (text === undefined) return base;
  const url = addressIn(text, base);
  if (url.protocol === 'https:' || base.protocol === 'http:') return url;
  if (url.hostname !== base.hostname) throw unsafeRedirect(base, url);
  return reachedAt(base, url);
}

import type { ContentOptions } from '../content/source.ts';
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
  /** Asks for the content of another repository of the registry instead: its digest, and the path of that repository. */
  mount?: { digest: Digest; from: string };
}

/** Bytes to send; made anew where they have to be sent again. */
export interface Payload {
  size: number;
  open: () => Promise<NonNullable<HttpRequest['body']>>;
}

/** At the end of an upload the registry may move and hash all of it before it answers. */
const COMMIT_TIMEOUT = 300_000;
/**
 * The largest piece that is held in memory because a registry wants it so, in bytes. Each blob that goes up holds one, and for
 * a moment, while it is put together, twice that: some blobs go up at a time.
 */
const MAX_CHUNK = 32 * 1024 * 1024;
const BYTES = 'application/octet-stream';

/**
 * One upload of a blob (OCI distribution-spec, pushing blobs): the registry names an address, takes bytes there, and stores
 * them when it is told their digest. Each request is made once; what comes of a failure says {@link UploadSession.received}.
 */
export class UploadSession {
  /** The smallest piece that the registry takes, in bytes, but for the last one. */
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
   * @returns `mounted` where there is nothing to upload, since the registry took the content from another repository
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
      // It may not be allowed to read there: then the content goes up as any other.
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
   * The size of the pieces to send, in bytes: each is held in memory.
   * @param wanted in bytes; a registry may ask for more
   * @throws {@link DrayageError} `LIMIT` where it asks for too much
   */
  chunkSize(wanted: number): number {
    if (this.#minChunk <= MAX_CHUNK) return Math.max(wanted, this.#minChunk);
    const { name } = this.#repository;
    throw new DrayageError('LIMIT', `${name}: the registry takes no pieces below ${this.#minChunk} bytes`, {
      expected: MAX_CHUNK,
      actual: this.#minChunk,
      hint: `OCI-Chunk-Min-Length may be ${MAX_CHUNK} bytes at most; pieces are held in memory`,
    });
  }

  /** Sends all bytes, or the last ones, or none where all are there, and has the registry store what it got under a digest. */
  async commit(digest: Digest, payload: Payload | undefined, options: ContentOptions): Promise<void> {
    const to = new URL(this.#location);
    // As text: writing the query anew may break the signature that it carries.
    to.search += `${to.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`;
    const reply = await this.#send('PUT', to, payload, {}, options);
    if (reply.status !== 201 && reply.status !== 204 && reply.status !== 200)
      throw await this.#refusal(reply);
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

  /** How many bytes the registry has got; undefined where it knows nothing of the upload any more. */
  async received({ signal }: ContentOptions): Promise<number | undefined> {
    const { api } = this.#repository;
    const reply = await api.ask({ to: this.#location, scopes: this.#scopes(), signal });
    drop(reply);
    if (reply.status !== 204) return undefined;
    this.#location = locationOf(reply, this.#location);
    const [, last] = /^(?:bytes=)?0-(\d{1,15})$/.exec(reply.header('range') ?? '') ?? [];
    // `0-0` is what registries say of an upload without any bytes.
    return last === undefined || last === '0' ? 0 : Number(last) + 1;
  }

  /** Lets the registry forget the upload. Fails never: it forgets by itself, later. */
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
      timeout: COMMIT_TIMEOUT,
      signal,
    });
  }

  async #refusal(reply: HttpReply): Promise<Error> {
    const { api, name } = this.#repository;
    const refused = await api.refusal(reply, name);
    const isLost = [404, 410, 416].includes(reply.status) || /\bBLOB_UPLOAD_/.test(refused.message);
    return isLost ? uploadLost(name, refused) : refused;
  }
}

/** A token server that does not let anybody read the other repository may give no token at all. */
function undefinedIfRefused(error: unknown): undefined {
  const status = isDrayageError(error, 'UNREACHABLE') ? (error.facts.status ?? 0) : 0;
  if (![400, 401, 403, 404].includes(status)) throw error;
}

/** Where the upload goes on. A registry behind a proxy may call itself by http, which it is not reached by. */
function locationOf(reply: HttpReply, base: URL): URL {
  const text = reply.header('location');
  if (text === undefined) return base;
  const url = addressIn(text, base);
  if (url.protocol === 'https:' || base.protocol === 'http:') return url;
  if (url.hostname !== base.hostname) throw unsafeRedirect(base, url);
  return reachedAt(base, url);
}

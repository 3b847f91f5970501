// A store in a server that keeps objects by name (GET, HEAD, PUT, `If-Match`, `Range`), as S3 and its relatives do.
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { DrayageError, ObjectStore } from 'drayage';
import { verified } from 'drayage/image';

export function httpStore(url: string): ObjectStore {
  const call = async (name: string, init: RequestInit, other?: number): Promise<Response> => {
    const reply = await fetch(`${url}/${name}`, init);
    if (reply.ok || reply.status === other) return reply;
    throw new DrayageError(reply.status === 404 ? 'NOT_FOUND' : 'IO', `${url}/${name}: ${reply.status}`);
  };
  return new ObjectStore({
    location: url,
    has: async ({ digest, size }, { signal } = {}) => {
      const { ok, headers } = await call(digest, { method: 'HEAD', signal }, 404);
      return ok && Number(headers.get('content-length')) === size;
    },
    open: async (blob, { offset = 0, signal } = {}) => {
      const headers = new Headers(offset > 0 ? { range: `bytes=${offset}-` } : {});
      const { body, ok, status } = await call(blob.digest, { headers, signal }, offset > 0 ? 416 : undefined);
      if (ok && offset > 0 && status !== 206) throw new DrayageError('IO', `${url} ignores Range`);
      const bytes = ok && body !== null ? body : Readable.from([]);
      return Readable.from(offset > 0 ? bytes : verified(bytes, blob), { objectMode: false });
    },
    put: async (blob, bytes, { signal } = {}) => {
      await call(blob.digest, { method: 'PUT', body: await buffer(verified(bytes, blob)), signal });
    },
    readIndex: async ({ signal } = {}) => {
      const { body, headers, ok } = await call('index.json', { signal }, 404);
      if (!ok || body === null) return undefined;
      if (!headers.has('etag')) throw new DrayageError('UNSUPPORTED', `${url} states no ETag`);
      return { bytes: await buffer(body), version: headers.get('etag') ?? '' };
    },
    swapIndex: async (bytes, version, { signal } = {}) => {
      const headers = new Headers(version === undefined ? { 'if-none-match': '*' } : { 'if-match': version });
      return (await call('index.json', { method: 'PUT', headers, body: Buffer.from(bytes), signal }, 412)).ok;
    },
  });
}

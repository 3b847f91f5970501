// A store in a server that keeps objects by name (GET, HEAD, PUT, `If-Match`), as S3 and its relatives do.
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { DrayageError, ObjectStore } from 'drayage';
import { verified } from 'drayage/image';

export function httpStore(url: string): ObjectStore {
  const call = (name: string, init?: RequestInit): Promise<Response> => fetch(`${url}/${name}`, init);
  return new ObjectStore({
    location: url,
    has: async ({ digest, size }, { signal } = {}) => {
      const { ok, headers } = await call(digest, { method: 'HEAD', signal });
      return ok && Number(headers.get('content-length')) === size;
    },
    open: async (blob, { offset = 0, signal } = {}) => {
      const { ok, body } = await call(blob.digest, { headers: { range: `bytes=${offset}-` }, signal });
      if (!ok || body === null) throw new DrayageError('NOT_FOUND', `no blob ${blob.digest}`);
      return Readable.from(offset > 0 ? body : verified(body, blob), { objectMode: false });
    },
    put: async (blob, bytes, { signal } = {}) => {
      const body = await buffer(verified(bytes, blob));
      const { ok, status } = await call(blob.digest, { method: 'PUT', body, signal });
      if (!ok) throw new DrayageError('IO', `${url} answered ${status}`);
    },
    readIndex: async () => {
      const response = await call('index.json');
      if (!response.ok) return undefined;
      const bytes = Buffer.from(await response.arrayBuffer());
      return { bytes, version: response.headers.get('etag') ?? '' };
    },
    swapIndex: async (bytes, version) => {
      const only: Record<string, string> =
        version === undefined ? { 'if-none-match': '*' } : { 'if-match': version };
      const { ok } = await call('index.json', { method: 'PUT', headers: only, body: Buffer.from(bytes) });
      return ok;
    },
  });
}

import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { chunksOf, describeBytes } from '../../src/testing/sample-images.ts';
import { noise } from '../gitlab/artifacts.ts';
import { FakeRegistry, firstTimes } from '../support/fake-registry.ts';
import { MemoryContent } from '../support/memory-content.ts';
import { registryOf } from './registries.ts';

const LARGE = noise(1_000_000);
const BLOB = describeBytes(LARGE);
const SOURCE = new MemoryContent([LARGE]);

const isUpload =
  (method: string) =>
  ({ method: asked, url = '' }: IncomingMessage): boolean =>
    asked === method && url.includes('/blobs/uploads/');

/** Lets so many bytes of a body in, and breaks the connection. */
function cutAfter(fake: FakeRegistry, bytes: number): (request: IncomingMessage) => void {
  return (request) => {
    const id = /uploads\/([^/?]+)/.exec(request.url ?? '')?.[1] ?? '';
    let left = bytes;
    request.on('data', (chunk: Buffer) => {
      fake.store.uploads.get(id)?.push(chunk.subarray(0, left));
      left = Math.max(0, left - chunk.length);
      if (left === 0) request.socket.destroy();
    });
  };
}

describe('a blob', () => {
  test('goes up in one request', async () => {
    const fake = await FakeRegistry.start();
    const repository = registryOf(fake).repository('app');
    expect(await repository.upload(BLOB, SOURCE)).toBe('sent');
    expect(fake.requests().map((line) => line.split(' ')[0])).toEqual(['POST', 'PUT']);
    expect(fake.store.repository('app').blobs.get(BLOB.digest)?.equals(LARGE)).toBe(true);
  });

  test('that breaks off goes on where it was', async () => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = firstTimes(1, isUpload('PUT'), cutAfter(fake, 600_000));
    await registryOf(fake).repository('app').upload(BLOB, SOURCE);
    expect(fake.requests().map((line) => line.split(' ')[0])).toEqual(['POST', 'PUT', 'GET', 'PATCH', 'PUT']);
    expect(fake.store.repository('app').blobs.get(BLOB.digest)?.equals(LARGE)).toBe(true);
    expect(fake.seen.find(({ method }) => method === 'PATCH')?.received).toBe(400_000);
  });

  test('whose upload has expired goes up anew', async () => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = (request) => {
      if (isUpload('PUT')(request) && fake.requests(/^PUT/).length === 1) fake.store.uploads.clear();
      return 'pass';
    };
    await registryOf(fake).repository('app').upload(BLOB, SOURCE);
    expect(fake.requests(/^POST/)).toHaveLength(2);
    expect(fake.store.repository('app').blobs.has(BLOB.digest)).toBe(true);
  });

  test.each([404, 410, 416])('of whose upload nothing is known (%i) goes up anew', async (status) => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = firstTimes(1, isUpload('PUT'), (request, response) => {
      fake.store.uploads.clear();
      request.resume().on('end', () => response.writeHead(status).end());
    });
    await registryOf(fake).repository('app').upload(BLOB, SOURCE);
    expect(fake.requests(/^POST/)).toHaveLength(2);
    expect(fake.store.repository('app').blobs.has(BLOB.digest)).toBe(true);
  });

  test('that the registry has although its answer was lost does not go up again', async () => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = firstTimes(1, isUpload('PUT'), (request) => {
      fake.store.uploads.clear();
      fake.store.repository('app').blobs.set(BLOB.digest, LARGE);
      request.resume().on('end', () => request.socket.destroy());
    });
    await registryOf(fake).repository('app').upload(BLOB, SOURCE);
    expect(fake.requests(/^POST/)).toHaveLength(1);
  });

  test.each([400, 405, 413, 415])(
    'goes up in pieces where one request is answered with %i',
    async (status) => {
      const fake = await FakeRegistry.start();
      fake.faults.registry = (request, response) =>
        isUpload('PUT')(request) && request.headers['content-length'] !== '0'
          ? void request.resume().on('end', () => response.writeHead(status).end())
          : 'pass';
      await registryOf(fake, { chunkSize: 300_000 }).repository('app').upload(BLOB, SOURCE);
      const sizes = fake.seen.filter(({ method }) => method === 'PATCH').map(({ received }) => received);
      expect(sizes).toEqual([300_000, 300_000, 300_000, 100_000]);
      expect(fake.store.repository('app').blobs.get(BLOB.digest)?.equals(LARGE)).toBe(true);
    },
  );

  test('in pieces survives a piece that is cut', async () => {
    const fake = await FakeRegistry.start({ chunkedOnly: true });
    let pieces = 0;
    fake.faults.registry = (request) => {
      if (!isUpload('PATCH')(request) || ++pieces !== 2) return 'pass';
      cutAfter(fake, 50_000)(request);
      return undefined;
    };
    await registryOf(fake, { chunkSize: 300_000 }).repository('app').upload(BLOB, SOURCE);
    expect(fake.store.repository('app').blobs.get(BLOB.digest)?.equals(LARGE)).toBe(true);
  });

  test.each([429, 500, 503])('waits where the registry answers %i, as long as it says', async (status) => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = firstTimes(1, isUpload('POST'), (_, response) =>
      response.writeHead(status, { 'retry-after': '7' }).end(),
    );
    const registry = registryOf(fake);
    await registry.repository('app').upload(BLOB, SOURCE);
    expect(registry.pauses).toEqual([7000]);
  });

  test('is given up where it fails without end, and the upload is taken back', async () => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = (request, response) =>
      isUpload('PUT')(request)
        ? void request.resume().on('end', () => response.writeHead(500).end())
        : 'pass';
    await expect(registryOf(fake).repository('app').upload(BLOB, SOURCE)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      facts: { status: 500 },
    });
    expect(fake.requests(/^PUT/)).toHaveLength(5);
    expect(fake.store.uploads.size).toBe(0);
  });

  test('that is damaged where it comes from is not stored', async () => {
    const fake = await FakeRegistry.start();
    const damaged = new MemoryContent();
    damaged.blobs.set(BLOB.digest, Buffer.from(LARGE).fill(0, 5, 9));
    await expect(registryOf(fake).repository('app').upload(BLOB, damaged)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
    expect(fake.store.repository('app').blobs.size).toBe(0);
  });

  test('that changes on the way is refused by the registry', async () => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = (request) => {
      if (isUpload('PUT')(request)) [...fake.store.uploads.values()][0]?.push(Buffer.from('x'));
      return 'pass';
    };
    await expect(registryOf(fake).repository('app').upload(BLOB, SOURCE)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      facts: { status: 400 },
    });
  });

  test('ends with the reason of a signal', async () => {
    const fake = await FakeRegistry.start();
    const controller = new AbortController();
    fake.faults.registry = (request) => {
      if (isUpload('PUT')(request)) controller.abort(new Error('enough'));
      return 'pass';
    };
    const { signal } = controller;
    await expect(registryOf(fake).repository('app').upload(BLOB, SOURCE, { signal })).rejects.toThrow(
      'enough',
    );
  });
});

describe('a blob of another repository', () => {
  test('is mounted: no byte goes up', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    fake.store.repository('base').blobs.set(BLOB.digest, LARGE);
    const registry = registryOf(fake);
    const mountFrom = registry.repository('base');
    expect(await registry.repository('app').upload(BLOB, SOURCE, { mountFrom })).toBe('mounted');
    expect(fake.received).toBe(0);
    expect(fake.store.repository('app').blobs.has(BLOB.digest)).toBe(true);
  });

  test('that does not have it after all goes up', async () => {
    const fake = await FakeRegistry.start();
    const registry = registryOf(fake);
    const mountFrom = registry.repository('base');
    expect(await registry.repository('app').upload(BLOB, SOURCE, { mountFrom })).toBe('sent');
    expect(fake.requests(/^POST/)).toHaveLength(1);
  });

  test.each([401, 403, 404])('that may not be read (%i) goes up', async (status) => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = firstTimes(
      1,
      ({ url = '' }) => url.includes('mount='),
      (_, response) => response.writeHead(status).end(),
    );
    const registry = registryOf(fake);
    const mountFrom = registry.repository('base');
    expect(await registry.repository('app').upload(BLOB, SOURCE, { mountFrom })).toBe('sent');
  });

  test.each([401, 403])('that the token server gives no token for (%i) goes up', async (status) => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    fake.faults.token = ({ url = '' }, response) =>
      decodeURIComponent(url).includes('repository:base:pull')
        ? void response.writeHead(status).end()
        : 'pass';
    const registry = registryOf(fake);
    const mountFrom = registry.repository('base');
    expect(await registry.repository('app').upload(BLOB, SOURCE, { mountFrom })).toBe('sent');
    expect(fake.store.repository('app').blobs.has(BLOB.digest)).toBe(true);
  });

  test('does not go up where the token server gives no token for anything', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    fake.faults.token = (_, response) => void response.writeHead(403).end();
    const registry = registryOf(fake);
    const mountFrom = registry.repository('base');
    const uploading = registry.repository('app').upload(BLOB, SOURCE, { mountFrom });
    await expect(uploading).rejects.toMatchObject({ code: 'DENIED', facts: { status: 403 } });
  });

  test('of another registry is not asked for', async () => {
    const [fake, other] = [await FakeRegistry.start(), await FakeRegistry.start()];
    const mountFrom = registryOf(other).repository('base');
    expect(await registryOf(fake).repository('app').upload(BLOB, SOURCE, { mountFrom })).toBe('sent');
    expect(fake.seen.some(({ url }) => url.includes('mount'))).toBe(false);
  });
});

describe('a blob that is written', () => {
  test('in pieces survives a cut', async () => {
    const fake = await FakeRegistry.start();
    let cuts = 0;
    fake.faults.registry = (request) => {
      if (!isUpload('PATCH')(request) || ++cuts % 2 === 0) return 'pass';
      cutAfter(fake, 30_000)(request);
      return undefined;
    };
    const repository = registryOf(fake, { chunkSize: 100_000 }).repository('app');
    await repository.put(BLOB, chunksOf(LARGE));
    expect(fake.store.repository('app').blobs.get(BLOB.digest)?.equals(LARGE)).toBe(true);
  });

  test('goes up in pieces as large as the registry wants', async () => {
    const fake = await FakeRegistry.start({ minChunk: 300_000 });
    const writer = await registryOf(fake, { chunkSize: 10_000 }).repository('app').begin();
    for (let at = 0; at < LARGE.length; at += 50_000) await writer.write(LARGE.subarray(at, at + 50_000));
    await writer.commit(BLOB);
    const sizes = fake.seen.filter(({ method }) => method === 'PATCH').map(({ received }) => received);
    expect(sizes).toEqual([300_000, 300_000, 300_000, 100_000]);
  });

  test.each([
    ['written', 2 ** 40],
    ['written', 32 * 2 ** 20 + 1],
    ['uploaded', 32 * 2 ** 20 + 1],
  ])('is not %s in pieces of %i bytes, which are too much to hold', async (how, minChunk) => {
    const fake = await FakeRegistry.start({ minChunk, chunkedOnly: true });
    const repository = registryOf(fake, { chunkSize: 10_000 }).repository('app');
    const sending =
      how === 'written' ? repository.put(BLOB, chunksOf(LARGE)) : repository.upload(BLOB, SOURCE);
    await expect(sending).rejects.toMatchObject({ code: 'LIMIT', facts: { actual: minChunk } });
    expect(fake.store.uploads.size).toBe(0);
  });

  test('fails where the registry forgets what it has', async () => {
    const fake = await FakeRegistry.start();
    const repository = registryOf(fake, { chunkSize: 100_000 }).repository('app');
    const writer = await repository.begin();
    await writer.write(LARGE.subarray(0, 100_000));
    fake.store.uploads.clear();
    await expect(writer.write(LARGE.subarray(100_000, 200_000))).rejects.toMatchObject({
      code: 'UNREACHABLE',
    });
  });

  test('and is there is not read', async () => {
    const fake = await FakeRegistry.start();
    fake.store.repository('app').blobs.set(BLOB.digest, LARGE);
    const unread = (async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('never');
      throw new Error('was read');
    })();
    await registryOf(fake).repository('app').put(BLOB, unread);
    expect(fake.received).toBe(0);
  });
});

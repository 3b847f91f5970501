import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { noise } from '../gitlab/artifacts.ts';
import { FakeRegistry, firstTimes } from '../support/fake-registry.ts';
import type { FakeRegistryOptions } from '../support/fake-registry-store.ts';
import { registryOf } from './registries.ts';

const LARGE = noise(1_000_000);
const BLOB = describeBytes(LARGE);

async function withBlob(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const fake = await FakeRegistry.start(options);
  fake.store.repository('app').blobs.set(BLOB.digest, LARGE);
  return fake;
}

const isBlob = ({ method, url = '' }: IncomingMessage): boolean =>
  method === 'GET' && url.includes('/blobs/');

/** The head of a whole reply, and half of its body. */
function cut(_: unknown, response: ServerResponse): void {
  response.writeHead(200, { 'content-length': LARGE.length });
  response.write(LARGE.subarray(0, 500_000), () => response.destroy());
}

describe('reading', () => {
  test('goes on where it was cut', async () => {
    const fake = await withBlob();
    fake.faults.registry = firstTimes(1, isBlob, cut);
    const read = await buffer(await registryOf(fake).repository('app').open(BLOB));
    expect(read.equals(LARGE)).toBe(true);
    expect(fake.seen.at(-1)?.range).toMatch(/^bytes=[1-9]\d*-999999$/);
  });

  test('goes on where the registry knows no ranges', async () => {
    const fake = await withBlob();
    let asked = 0;
    fake.faults.registry = (request, response) => {
      if (!isBlob(request)) return 'pass';
      delete request.headers.range;
      if (asked++ > 0) return 'pass';
      return cut(request, response);
    };
    const read = await buffer(await registryOf(fake).repository('app').open(BLOB));
    expect(read.equals(LARGE)).toBe(true);
  });

  test('of storage elsewhere shows it no credential', async () => {
    const fake = await withBlob({ redirect: true, auth: 'basic' });
    await buffer(await registryOf(fake).repository('app').open(BLOB));
    const storage = fake.seen.filter(({ server }) => server === 'storage');
    expect(storage.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test('of storage that wants a credential gives it none', async () => {
    const fake = await withBlob({ redirect: true, auth: 'token' });
    fake.faults.storage = (_, response) =>
      void response.writeHead(401, { 'www-authenticate': 'Basic realm="give"' }).end();
    await expect(registryOf(fake).repository('app').open(BLOB)).rejects.toMatchObject({
      code: 'DENIED',
    });
    const storage = fake.seen.filter(({ server }) => server === 'storage');
    expect(storage.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test.each([429, 500, 502, 503])('is tried again after %i', async (status) => {
    const fake = await withBlob();
    fake.faults.registry = firstTimes(2, isBlob, (_, response) => response.writeHead(status).end());
    const registry = registryOf(fake);
    await buffer(await registry.repository('app').open(BLOB));
    expect(registry.pauses).toHaveLength(2);
  });

  test('ends where redirects do not', async () => {
    const fake = await withBlob();
    fake.faults.registry = (request, response) =>
      isBlob(request) ? void response.writeHead(307, { location: request.url }).end() : 'pass';
    await expect(registryOf(fake).repository('app').open(BLOB)).rejects.toThrow('redirects in circles');
  });

  test('of what is not there says where', async () => {
    const fake = await FakeRegistry.start();
    await expect(registryOf(fake).repository('app').open(BLOB)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `${fake.host}/app has no ${BLOB.digest}`,
      facts: { digest: BLOB.digest },
    });
  });

  test('passes on what the registry warns of, once', async () => {
    const fake = await withBlob();
    fake.faults.registry = (_, response) => {
      response.setHeader('warning', ['299 - "this goes \\"away\\""', '199 other "not meant"']);
      return 'pass';
    };
    const registry = registryOf(fake);
    await registry.repository('app').has(BLOB);
    await registry.repository('app').has(BLOB);
    expect(registry.warnings).toEqual([`${fake.host} warns: this goes "away"`]);
  });

  test('fails at what does not answer', async () => {
    const fake = await withBlob();
    const registry = registryOf(fake);
    await fake.stop();
    await expect(registry.repository('app').has(BLOB)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(registry.pauses).toHaveLength(4);
  });
});

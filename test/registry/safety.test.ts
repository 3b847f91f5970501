import { Agent } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { Authority } from '../support/certificates.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistryOptions } from '../support/fake-registry-store.ts';
import { PASSWORD } from '../support/fake-registry-tokens.ts';
import { MemoryContent } from '../support/memory-content.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { registryOf } from './registries.ts';

const BYTES = Buffer.from('a small blob');
const BLOB = describeBytes(BYTES);

/** A registry with TLS, and a client that trusts it. */
async function secure(
  options: FakeRegistryOptions = {},
): Promise<{ fake: FakeRegistry; registry: Registry }> {
  const authority = new Authority();
  const tls = authority.issue({ names: ['127.0.0.1'] });
  const fake = await FakeRegistry.start({ ...options, tls });
  const dispatcher = new Agent({ connect: { ca: authority.cert } });
  onTestFinished(() => dispatcher.destroy());
  return { fake, registry: registryOf(fake, { dispatcher }) };
}

describe('a registry that is reached by https', () => {
  test('is not left for plain http by a redirect', async () => {
    const { fake, registry } = await secure();
    const plain = await FakeRegistry.start();
    fake.faults.registry = ({ url = '' }, response) =>
      url === '/v2/'
        ? 'pass'
        : void response.writeHead(307, { location: `http://${plain.host}${url}` }).end();
    await expect(registry.repository('app').has(BLOB)).rejects.toMatchObject({ code: 'UNSAFE' });
    expect(plain.seen).toEqual([]);
  });

  test('that calls itself by http, as some behind a proxy do, gets its uploads by https', async () => {
    const { fake, registry } = await secure();
    fake.store.uploads.set('one', []);
    fake.faults.registry = ({ method }, response) => {
      if (method !== 'POST') return 'pass';
      const location = `http://127.0.0.1/v2/app/blobs/uploads/one`;
      return void response.writeHead(202, { location }).end();
    };
    await registry.repository('app').upload(BLOB, new MemoryContent([BYTES]));
    expect(fake.store.repository('app').blobs.has(BLOB.digest)).toBe(true);
  });

  test('does not send uploads elsewhere by two slashes', async () => {
    const { fake, registry } = await secure();
    const other = await FakeRegistry.start();
    fake.faults.registry = ({ method }, response) =>
      method === 'POST'
        ? void response.writeHead(202, { location: `http://127.0.0.1//${other.host}/up` }).end()
        : 'pass';
    await expect(registry.repository('app').upload(BLOB, new MemoryContent([BYTES]))).rejects.toThrow();
    expect(fake.requests(/\/\/127[^ ]*\/up/)).not.toEqual([]);
    expect(other.seen).toEqual([]);
  });

  test('does not send uploads elsewhere by http', async () => {
    const { fake, registry } = await secure();
    fake.faults.registry = ({ method }, response) =>
      method === 'POST'
        ? void response.writeHead(202, { location: 'http://other.example/up' }).end()
        : 'pass';
    const uploading = registry.repository('app').upload(BLOB, new MemoryContent([BYTES]));
    await expect(uploading).rejects.toMatchObject({ code: 'UNSAFE' });
  });

  test('whose authority is unknown is told so, once', async () => {
    const { fake } = await secure();
    const registry = registryOf(fake);
    await expect(registry.repository('app').has(BLOB)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('its certificate authority is not known'),
    });
    expect(registry.pauses).toEqual([]);
  });
});

test('an upload to another origin shows it no credential', async () => {
  const [fake, storage] = [await FakeRegistry.start({ auth: 'basic' }), await FakeRegistry.start()];
  storage.store.uploads.set('one', []);
  fake.faults.registry = ({ method, headers }, response) => {
    if (method !== 'POST' || headers.authorization === undefined) return 'pass';
    return void response
      .writeHead(202, { location: `http://${storage.host}/v2/app/blobs/uploads/one` })
      .end();
  };
  await registryOf(fake)
    .repository('app')
    .upload(BLOB, new MemoryContent([BYTES]));
  expect(storage.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
  expect(storage.store.repository('app').blobs.has(BLOB.digest)).toBe(true);
});

test.each(['basic', 'token'] as const)(
  'what a registry repeats of a secret (%s) is not passed on',
  async (auth) => {
    const fake = await FakeRegistry.start({ auth });
    fake.faults.registry = ({ headers: { authorization = '' } }, response) => {
      if (authorization === '') return 'pass';
      response.setHeader('warning', `299 - "${authorization} ${PASSWORD}"`);
      const errors = [{ code: 'DENIED', message: `${authorization} ${PASSWORD}` }];
      return void response.writeHead(403).end(JSON.stringify({ errors }));
    };
    const registry = registryOf(fake);
    const error: unknown = await registry
      .repository('app')
      .describe('1')
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'DENIED', message: expect.stringContaining('DENIED: ') });
    expect(registry.warnings).toHaveLength(1);
    const shown = String(error) + JSON.stringify(error) + registry.warnings.join();
    for (const secret of [PASSWORD, ...fake.tokens.issued.keys(), 'cGxhbnRlZC'])
      expect(shown).not.toContain(secret);
  },
);

test.each(['https://r.example', 'r.example/app', 'me:planted@r.example', '', 'R EXAMPLE'])(
  '%j is no host of a registry, and is not repeated',
  async (host) => {
    const { Registry } = await import('../../src/registry/registry.ts');
    const made = (): unknown => new Registry(host);
    expect(made).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(made).not.toThrow(/planted/);
  },
);

import { describe, expect, test } from 'vitest';
import { describeBytes, chunksOf } from '../../src/testing/sample-images.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { IDENTITY_TOKEN } from '../support/fake-registry-tokens.ts';
import { DrayageError } from '../../src/errors.ts';
import { chainCredentials } from '../../src/registry/credentials.ts';
import { always, PLANTED, registryOf } from './registries.ts';

const SMALL = Buffer.from('a small blob');
const BLOB = describeBytes(SMALL);

async function never(): Promise<never> {
  throw new Error('was asked for');
}

async function unread(): Promise<never> {
  throw new DrayageError('NOT_FOUND', 'docker-credential-x cannot be run', { hint: 'install it' });
}

describe('a token', () => {
  test('is asked for when the registry wants one, and serves all requests of its scope', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    const repository = registryOf(fake).repository('group/app');
    await repository.put(BLOB, chunksOf(SMALL));
    expect(await repository.has(BLOB)).toBe(true);
    const asked = fake.seen
      .filter(({ server }) => server === 'token')
      .map(({ url }) => new URL(url, 'http://x'));
    expect(asked.map(({ searchParams }) => searchParams.getAll('scope'))).toEqual([
      ['repository:group/app:pull'],
      ['repository:group/app:pull,push'],
    ]);
    expect(asked[0]?.searchParams.get('service')).toBe('fake');
    expect(fake.requests(/./).filter((line) => line.startsWith('POST'))).toHaveLength(1);
  });

  test('is given to nobody, too, where the registry is open for reading', async () => {
    const fake = await FakeRegistry.start({ auth: 'token', anonymous: true });
    const repository = registryOf(fake, { credentials: undefined }).repository('app');
    expect(await repository.has(BLOB)).toBe(false);
    await expect(repository.put(BLOB, chunksOf(SMALL))).rejects.toMatchObject({
      code: 'DENIED',
      facts: { status: 401, hint: expect.stringContaining('docker login') },
    });
  });

  test('comes for an identity token, too', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    const credentials = always({ identityToken: IDENTITY_TOKEN });
    await registryOf(fake, { credentials }).repository('app').put(BLOB, chunksOf(SMALL));
    expect(fake.seen.find(({ server }) => server === 'token')).toMatchObject({
      method: 'POST',
      url: '/token',
      authorization: undefined,
    });
  });

  test('of the configuration is sent as it is, and no other is asked for', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    const registryToken = 'planted-registry-token';
    fake.tokens.issued.set(registryToken, ['repository:app:pull', 'repository:app:push']);
    const credentials = always({ registryToken });
    await registryOf(fake, { credentials }).repository('app').put(BLOB, chunksOf(SMALL));
    expect(fake.seen.filter(({ server }) => server === 'token')).toEqual([]);
  });

  test('of the configuration that the registry does not take is refused once', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    const credentials = always({ registryToken: 'planted-registry-token' });
    const error = await registryOf(fake, { credentials })
      .repository('app')
      .has(BLOB)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'DENIED' });
    expect(JSON.stringify(error)).not.toContain('planted-registry');
  });

  test('that is void midway is renewed', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    const repository = registryOf(fake, { chunkSize: 100_000 }).repository('app');
    const large = Buffer.alloc(450_000, 'x');
    const writer = await repository.begin();
    for (let at = 0; at < large.length; at += 50_000) {
      await writer.write(large.subarray(at, at + 50_000));
      fake.tokens.revoke();
    }
    await writer.commit();
    expect(fake.store.repository('app').blobs.get(describeBytes(large).digest)?.equals(large)).toBe(true);
  });

  test('that is about to expire is not used', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    fake.tokens.life = 0;
    const repository = registryOf(fake).repository('app');
    await repository.has(BLOB);
    await repository.has(BLOB);
    expect(fake.requests()).toHaveLength(3);
    expect(fake.seen.filter(({ server }) => server === 'token')).toHaveLength(2);
  });

  test('is asked for once by many requests at a time', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    const repository = registryOf(fake).repository('app');
    await repository.has(BLOB);
    const before = fake.seen.filter(({ server }) => server === 'token').length;
    fake.tokens.revoke();
    await Promise.all(Array.from({ length: 10 }, () => repository.has(BLOB)));
    expect(fake.seen.filter(({ server }) => server === 'token').length - before).toBeLessThan(10);
  });

  test('server that is busy is asked again', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    let left = 2;
    fake.faults.token = (_, response) => (left-- > 0 ? void response.writeHead(503).end() : 'pass');
    const registry = registryOf(fake);
    await registry.repository('app').has(BLOB);
    expect(registry.pauses).toHaveLength(2);
  });

  test('server that is called by plain http from a registry with TLS gets nothing', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    const { requestToken } = await import('../../src/registry/token.ts');
    const { Http } = await import('../../src/http/http.ts');
    await using http = new Http(undefined);
    const challenge = { scheme: 'bearer', parameters: new Map([['realm', `http://${fake.host}/token`]]) };
    const credential = { username: 'me', password: 'pw' };
    const request = {
      http,
      host: 'r.example',
      challenge,
      scopes: [],
      credential,
      base: new URL('https://r.example/'),
    };
    await expect(requestToken(request)).rejects.toMatchObject({ code: 'UNSAFE' });
    expect(fake.seen).toEqual([]);
  });
});

describe('a password', () => {
  test('is shown when the registry wants it, and then with each request', async () => {
    const fake = await FakeRegistry.start({ auth: 'basic' });
    const repository = registryOf(fake).repository('app');
    await repository.put(BLOB, chunksOf(SMALL));
    const shown = fake.seen.map(({ authorization }) => authorization !== undefined);
    expect(shown).toEqual([false, ...shown.slice(1).map(() => true)]);
  });

  test('that is wrong is refused once', async () => {
    const fake = await FakeRegistry.start({ auth: 'basic' });
    const credentials = always({ username: 'me', password: 'planted-wrong' });
    const reading = registryOf(fake, { credentials }).repository('app').has(BLOB);
    await expect(reading).rejects.toMatchObject({
      code: 'DENIED',
      facts: { status: 401, hint: expect.stringContaining('does not accept') },
    });
    expect(fake.requests()).toHaveLength(2);
  });

  test.each(['basic', 'token'] as const)(
    'that cannot be read is told where the registry requires one (%s)',
    async (auth) => {
      const fake = await FakeRegistry.start({ auth });
      const registry = registryOf(fake, { credentials: unread });
      const error: unknown = await registry
        .repository('app')
        .has(BLOB)
        .catch((caught: unknown) => caught);
      expect(error).toMatchObject({
        code: 'DENIED',
        retryable: false,
        facts: { status: 401, hint: 'docker-credential-x cannot be run: install it' },
      });
      expect(registry.warnings).toEqual([
        `${fake.host}: no credentials are used: docker-credential-x cannot be run`,
      ]);
    },
  );

  test('that cannot be read does not block a registry that is open for reading', async () => {
    const fake = await FakeRegistry.start({ auth: 'token', anonymous: true });
    const registry = registryOf(fake, { credentials: unread });
    expect(await registry.repository('app').has(BLOB)).toBe(false);
    expect(await registry.repository('other').has(BLOB)).toBe(false);
    expect(registry.warnings).toHaveLength(1);
  });

  test('of the next store serves where a store fails', async () => {
    const fake = await FakeRegistry.start({ auth: 'basic' });
    const credentials = chainCredentials([unread, always(PLANTED)]);
    const registry = registryOf(fake, { credentials });
    expect(await registry.repository('app').has(BLOB)).toBe(false);
    expect(registry.warnings).toEqual([]);
    await expect(chainCredentials([unread])('r.example')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('is not looked for where the registry wants none', async () => {
    const fake = await FakeRegistry.start();
    expect(await registryOf(fake, { credentials: never }).repository('app').has(BLOB)).toBe(false);
  });
});

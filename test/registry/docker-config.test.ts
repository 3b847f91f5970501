import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Credential } from '../../src/registry/credentials.ts';
import { dockerConfigHosts, dockerConfigCredentials } from '../../src/registry/docker-config.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const { PATH = '' } = process.env;

const find = async (
  config: unknown,
  host: string,
  env?: Record<string, string>,
): Promise<Credential | undefined> =>
  dockerConfigCredentials(JSON.stringify(config), { name: 'config.json', env })(host);

describe('auths', () => {
  test.each<[string, string, object, Credential | undefined]>([
    [
      'a host',
      'r.example:5000',
      { 'r.example:5000': { auth: base64('me:pw:x') } },
      { username: 'me', password: 'pw:x' },
    ],
    [
      'an address',
      'r.example',
      { 'https://r.example/v2/': { auth: base64('me:pw') } },
      { username: 'me', password: 'pw' },
    ],
    [
      'Docker Hub',
      'docker.io',
      { 'https://index.docker.io/v1/': { auth: base64('me:pw') } },
      { username: 'me', password: 'pw' },
    ],
    [
      'padding',
      'r.example',
      { 'r.example': { auth: base64('me:pw\0\0') } },
      { username: 'me', password: 'pw' },
    ],
    [
      'an identity token',
      'r.example',
      { 'r.example': { auth: base64('me:'), identitytoken: 'it' } },
      { identityToken: 'it' },
    ],
    [
      'name and password',
      'r.example',
      { 'r.example': { username: 'me', password: 'pw' } },
      { username: 'me', password: 'pw' },
    ],
    [
      'a token of the registry, before all others',
      'r.example',
      { 'r.example': { auth: base64('me:pw'), identitytoken: 'it', registrytoken: 'rt' } },
      { registryToken: 'rt' },
    ],
    [
      'keys in another case, as Go reads them',
      'r.example',
      { 'r.example': { Auth: base64('me:pw') } },
      { username: 'me', password: 'pw' },
    ],
    ['an empty auth', 'r.example', { 'r.example': { auth: '' } }, undefined],
    ['a null auth', 'r.example', { 'r.example': { auth: null } }, undefined],
    ['another port', 'r.example', { 'r.example:5000': { auth: base64('me:pw') } }, undefined],
    ['an empty entry', 'r.example', { 'r.example': {} }, undefined],
    ['another host', 'r.example', { 'r.example.evil': { auth: base64('me:pw') } }, undefined],
  ])('of %s', async (_, host, auths, expected) => {
    expect(await find({ auths }, host)).toEqual(expected);
  });

  const OWN = { auth: base64('own:pw') };
  const OTHER = { auth: base64('other:pw') };
  const HUB = 'https://index.docker.io/v1/';
  test.each<[string, string, object, string | undefined]>([
    ['a path in it', 'r.example', { 'r.example/a/b': OTHER, 'r.example': OWN }, 'own'],
    ['an address of it', 'r.example', { 'https://r.example/v2/': OTHER, 'r.example': OWN }, 'own'],
    ['a path, even if it is empty', 'r.example', { 'r.example/a': OTHER, 'r.example': {} }, undefined],
    ['a path, even if it is null', 'r.example', { 'r.example/a': OTHER, 'r.example': null }, undefined],
    ['another spelling of Docker Hub', 'docker.io', { 'index.docker.io': OTHER, [HUB]: OWN }, 'own'],
  ])("a registry's own key goes before %s", async (_, host, auths, username) => {
    const expected = username === undefined ? undefined : { username, password: 'pw' };
    expect(await find({ auths }, host)).toEqual(expected);
  });

  test.each([
    ['r.example', { 'r.example/a/b': OTHER, 'https://r.example/v1/': OWN }],
    ['r.example', { 'r.example/a/b': OTHER, 'http://r.example': OWN }],
    ['docker.io', { 'docker.io/library': OTHER, 'docker.io': OWN }],
    ['r.example', { 'r.example/a/b': OWN }],
  ])('for %s the address of a registry goes before a path in it: %j', async (host, auths) => {
    expect(await find({ auths }, host)).toEqual({ username: 'own', password: 'pw' });
  });

  test.each([
    '{"auths":{"r.example":{"auth":7,"password":"planted-secret-1"}}}',
    '{"auths":{"r.example":{"auth":"a","Auth":"planted-secret-1"}}}',
    '{"auths":{},"Auths":{"r.example":{"auth":"planted-secret-1"}}}',
    '{"auths":"planted-secret-1"}',
    '{"auths":{"r.example":{"auth":"planted-secret-1',
    '{"auths":{"r.example":"planted-secret-1"}}',
    '{"auths":["planted-secret-1"]}',
    '{"auths":{"r.example":["planted-secret-1"]}}',
    '["planted-secret-1"]',
  ])('a broken document is refused, and nothing of it is said: %j', async (text) => {
    const reading = async (): Promise<unknown> =>
      dockerConfigCredentials(text, { name: 'config.json' })('r.example');
    const error = await reading().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'MALFORMED' });
    expect(String(error) + String((error as Error).cause)).not.toContain('planted');
  });

  test.each<[string, unknown]>([
    ['auths', { 'other.example': 'x' }],
    ['auths', { 'other.example': { auth: 7 } }],
    ['auths', { 'other.example': { auth: base64('no colon') } }],
    ['auths', { 'other.example': { auth: 'a', Auth: 'b' } }],
    ['credHelpers', { 'other.example': 7 }],
    ['credHelpers', { 'other.example': ['x'] }],
  ])('a broken entry of another registry costs only itself: %s %j', async (key, entries) => {
    const own = { 'r.example': { auth: base64('me:pw') } };
    const config = { auths: own, [key]: key === 'auths' ? { ...(entries as object), ...own } : entries };
    expect(await find(config, 'r.example')).toEqual({ username: 'me', password: 'pw' });
    await expect(find(config, 'other.example')).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test('a key that is not read may be there twice, in different case', async () => {
    const entry = { auth: base64('me:pw'), email: 'me@a.example', Email: 'me@b.example' };
    const config = { auths: { 'r.example': entry }, proxies: {}, Proxies: {} };
    expect(await find(config, 'r.example')).toEqual({ username: 'me', password: 'pw' });
  });

  test.each([{}, { auths: null }, { auths: {} }, { auths: '', credHelpers: null, credsStore: null }])(
    'a document without credentials has none: %j',
    async (config) => {
      expect(await find(config, 'r.example')).toBeUndefined();
    },
  );

  test('an auth that is none is refused, and not repeated', async () => {
    const error = await find(
      { auths: { 'r.example': { auth: base64('planted-secret') } } },
      'r.example',
    ).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'MALFORMED' });
    expect(JSON.stringify(error)).not.toContain(base64('planted-secret'));
  });
});

/** A folder with a helper of some lines of shell, on the PATH. */
async function helper(lines: string, name = 'vault'): Promise<Record<string, string>> {
  const folder = await temporaryFolder();
  const path = join(folder, `docker-credential-${name}`);
  await writeFile(path, `#!/bin/sh\n${lines}\n`);
  await chmod(path, 0o755);
  return { PATH: `${folder}:${PATH}` };
}
const answer = (username: string, secret: string): string =>
  `read server; printf '{"ServerURL":"%s","Username":"${username}","Secret":"${secret}"}' "$server"`;

describe('helpers', () => {
  test('a store is asked by the name that docker uses', async () => {
    const env = await helper(
      `[ "$1" = get ] || exit 3; read server; printf '{"Username":"%s","Secret":"s3cret"}' "$server"`,
    );
    expect(await find({ credsStore: 'vault' }, 'docker.io', env)).toEqual({
      username: 'https://index.docker.io/v1/',
      password: 's3cret',
    });
  });

  test('the helper of a registry goes before the store', async () => {
    const env = await helper(answer('me', 'pw'));
    const config = { credsStore: 'absent', credHelpers: { 'r.example': 'vault' } };
    expect(await find(config, 'r.example', env)).toEqual({ username: 'me', password: 'pw' });
    await expect(find(config, 'other.example', env)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('one that is there and cannot be run is not taken for absent', async () => {
    const { PATH: path = '' } = await helper(answer('me', 'pw'));
    const folder = path.split(':')[0] ?? '';
    await chmod(join(folder, 'docker-credential-vault'), 0o644);
    await expect(find({ credsStore: 'vault' }, 'r.example', { PATH: folder })).rejects.toMatchObject({
      code: 'IO',
      message: 'docker-credential-vault cannot be run: permission denied (EACCES)',
      facts: { hint: undefined },
    });
  });

  test('an identity token comes under a name of its own', async () => {
    expect(await find({ credsStore: 'vault' }, 'r.example', await helper(answer('<token>', 'it')))).toEqual({
      identityToken: 'it',
    });
  });

  test('what a helper does not know may be in the file', async () => {
    const env = await helper('echo "credentials not found in native keychain"; exit 1');
    const auths = { 'r.example': { auth: base64('me:pw') } };
    expect(await find({ credsStore: 'vault', auths }, 'r.example', env)).toEqual({
      username: 'me',
      password: 'pw',
    });
    expect(await find({ credsStore: 'vault' }, 'r.example', env)).toBeUndefined();
  });

  test.each<[string, Record<string, string>]>([
    ['r.example', { 'r.example': 'vault' }],
    ['r.example:5000', { 'r.example:5000': 'vault', 'r.example': 'absent' }],
    ['docker.io', { 'https://index.docker.io/v1/': 'vault' }],
    ['docker.io', { 'docker.io': 'vault' }],
  ])('of %s: %j', async (host, credHelpers) => {
    const env = await helper(answer('me', 'pw'));
    expect(await find({ credHelpers }, host, env)).toEqual({ username: 'me', password: 'pw' });
  });

  test.each([
    ['on standard output', 'echo "credentials not found in native keychain"; exit 1'],
    [
      'with the line end of Windows',
      String.raw`printf "credentials not found in native keychain
"; exit 1`,
    ],
    ['by an answer without a secret', `printf '{"ServerURL":"","Username":"","Secret":""}'`],
    ['by an empty answer', `printf '{}'`],
  ])('of a helper that knows nothing, and says so %s, no credential comes', async (_, lines) => {
    expect(await find({ credsStore: 'vault' }, 'r.example', await helper(lines))).toBeUndefined();
  });

  test.each([
    String.raw`{"Username":"me","Secret":"pw"}
`,
    '{"username":"me","secret":"pw"}',
  ])('an answer is read as Go reads it: %s', async (text) => {
    const env = await helper(`printf '${text}'`);
    expect(await find({ credsStore: 'vault' }, 'r.example', env)).toEqual({ username: 'me', password: 'pw' });
  });

  test('an empty name means that the store is not asked for this registry', async () => {
    const config = { credsStore: 'absent', credHelpers: { 'r.example': '' } };
    expect(await find(config, 'r.example')).toBeUndefined();
  });

  test('a null name is an empty one, as for Go, and blocks no other registry', async () => {
    const config = { credHelpers: { 'a.example': null }, auths: { 'r.example': { auth: base64('me:pw') } } };
    expect(await find(config, 'r.example')).toEqual({ username: 'me', password: 'pw' });
    expect(await find(config, 'a.example')).toBeUndefined();
  });

  test('what the file holds serves where a helper is missing', async () => {
    const auths = { 'r.example': { auth: base64('me:pw') } };
    expect(await find({ credsStore: 'absent', auths }, 'r.example')).toEqual({
      username: 'me',
      password: 'pw',
    });
  });

  test.each([
    ['fails', 'echo planted-secret; echo planted-secret >&2; exit 3', /fails \(exit code 3\)/],
    ['answers nonsense', 'echo planted-secret', /another form/],
  ])('a helper that %s is told, without what it said', async (_, lines, message) => {
    const error = await find({ credsStore: 'vault' }, 'r.example', await helper(lines)).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: 'UNREACHABLE', message: expect.stringMatching(message) });
    expect(JSON.stringify(error)).not.toContain('planted');
  });

  test('a helper that does not end is given up', async () => {
    const env = await helper('exec sleep 60');
    const text = JSON.stringify({ credsStore: 'vault' });
    const asking = dockerConfigCredentials(text, { name: 'c', env, helperTimeout: 50 })('r.example');
    await expect(asking).rejects.toMatchObject({ code: 'TIMEOUT' });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(dockerConfigCredentials(text, { name: 'c', env })('r.example', { signal })).rejects.toThrow(
      'enough',
    );
  });

  test.each([
    ['waits for it', 'sleep 3'],
    ['has ended', 'sleep 3 & printf "{}"'],
    ['lets it write', 'yes planted'],
  ])(
    'a helper whose program holds its output is given up, and holds nothing here: it %s',
    async (_, lines) => {
      const before = process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap');
      const env = await helper(lines);
      const text = JSON.stringify({ credsStore: 'vault' });
      const asking = dockerConfigCredentials(text, { name: 'c', env, helperTimeout: 300 })('r.example');
      await expect(asking).rejects.toMatchObject({ code: 'TIMEOUT' });
      await new Promise((closed) => setTimeout(closed, 50));
      expect(process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap')).toEqual(before);
    },
  );

  test('a name that is a path is no helper', async () => {
    await expect(find({ credsStore: '../evil' }, 'r.example')).rejects.toMatchObject({ code: 'USAGE' });
  });
});

test('an address with a user name is not the host of a registry', () => {
  const text = JSON.stringify({ auths: { 'https://user:password@a.example/v1/': {}, 'b.example': {} } });
  expect(dockerConfigHosts(text, 'config.json').hosts).toEqual(['b.example']);
});

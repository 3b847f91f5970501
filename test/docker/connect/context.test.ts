import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { findDockerHost, resolveDockerHost } from '../../../src/docker/connect/address.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let home: string;
let folder: string;
let env: Record<string, string>;
beforeEach(async () => {
  home = await temporaryFolder();
  folder = join(home, '.docker');
  await mkdir(folder);
  env = { HOME: home };
});

const idOf = (name: string): string => createHash('sha256').update(name).digest('hex');

/** Stores a context as docker does. */
async function store(name: string, endpoints: unknown, root = folder): Promise<void> {
  const path = join(root, 'contexts', 'meta', idOf(name));
  await mkdir(path, { recursive: true });
  await writeFile(
    join(path, 'meta.json'),
    JSON.stringify({ Name: name, Metadata: {}, Endpoints: endpoints }),
  );
}

async function storeTls(name: string): Promise<string> {
  const path = join(folder, 'contexts', 'tls', idOf(name), 'docker');
  await mkdir(path, { recursive: true });
  return path;
}

async function use(name: string): Promise<void> {
  await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: {}, currentContext: name }));
}

const because = async (more: Record<string, string> = {}): Promise<unknown> =>
  (await findDockerHost({ ...env, ...more }, { defaultSocket: '/s' })).because;

describe('a docker context', () => {
  test('is told as what decided, also where it names the default socket', async () => {
    await store('remote', { docker: { Host: 'ssh://me@remote' } });
    await store('empty', { docker: {} });
    await use('remote');
    expect(await because()).toEqual({ by: 'context', name: 'remote', chosenIn: 'config.json' });
    const empty = { by: 'context', name: 'empty', chosenIn: 'DOCKER_CONTEXT' };
    expect(await because({ DOCKER_CONTEXT: 'empty' })).toEqual(empty);
  });

  test('is used where it is current', async () => {
    await store('remote', { docker: { Host: 'ssh://me@remote', SkipTLSVerify: false } });
    await use('remote');
    expect(await resolveDockerHost(env)).toEqual({ host: 'ssh://me@remote', wait: 0 });
  });

  test('is named by DOCKER_CONTEXT, in the folder of DOCKER_CONFIG', async () => {
    const other = await temporaryFolder();
    await store('here', { docker: { Host: 'unix:///here' } });
    await store('there', { docker: { Host: 'unix:///there' } }, other);
    await use('here');
    expect(await resolveDockerHost(env)).toMatchObject({ host: 'unix:///here' });
    const named = { ...env, DOCKER_CONFIG: other, DOCKER_CONTEXT: 'there' };
    expect(await resolveDockerHost(named)).toMatchObject({ host: 'unix:///there' });
  });

  test('goes behind DOCKER_HOST, and DOCKER_HOST behind what is said', async () => {
    const both = { ...env, DOCKER_HOST: 'unix:///host', DOCKER_CONTEXT: 'none' };
    expect(await resolveDockerHost(both)).toEqual({ host: 'unix:///host' });
    expect(await resolveDockerHost(both, { host: 'unix:///said' })).toEqual({ host: 'unix:///said' });
  });

  test('may be docker’s default: the local socket, whatever is current', async () => {
    await use('none');
    for (const name of ['default', 'none']) {
      const resolved = resolveDockerHost({ ...env, DOCKER_CONTEXT: name }, { defaultSocket: '/s' });
      if (name === 'default') expect(await resolved).toEqual({ host: 'unix:///s' });
      else await expect(resolved).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    await store('empty', { docker: {} });
    await use('empty');
    expect(await resolveDockerHost(env, { defaultSocket: '/s' })).toEqual({ host: 'unix:///s' });
  });

  test('brings certificates of its own, and not those of the environment', async () => {
    await store('secure', { docker: { Host: 'tcp://remote:2376' } });
    const certPath = await storeTls('secure');
    const named = { ...env, DOCKER_CONTEXT: 'secure', DOCKER_TLS: '1', DOCKER_CERT_PATH: '/elsewhere' };
    expect(await resolveDockerHost(named)).toEqual({
      host: 'tcp://remote:2376',
      tls: { certPath, verify: true },
      wait: 0,
    });
  });

  test.each([
    [true, { verify: false }],
    [false, undefined],
  ])('without certificates, with SkipTLSVerify %s, has the TLS %j', async (skip, tls) => {
    await store('plain', { docker: { Host: 'tcp://remote:2375', SkipTLSVerify: skip } });
    const resolved = await resolveDockerHost({ ...env, DOCKER_CONTEXT: 'plain' });
    expect(resolved).toEqual({ host: 'tcp://remote:2375', tls, wait: 0 });
  });

  test('that there is not is told with those that there are', async () => {
    await store('remote', { docker: {} });
    await store('build', { docker: {} });
    await mkdir(join(folder, 'contexts', 'meta', 'broken'));
    await use('gone');
    await expect(resolveDockerHost(env)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'there is no docker context "gone"',
      facts: { candidates: ['default', 'build', 'remote'] },
      hint: expect.stringContaining('default, build, remote'),
    });
  });

  test('of something else than docker is refused', async () => {
    await store('cluster', { kubernetes: { Host: 'https://cluster' } });
    const resolved = resolveDockerHost({ ...env, DOCKER_CONTEXT: 'cluster' });
    await expect(resolved).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test.each([
    ['config.json', '{"currentContext":1}'],
    ['config.json', '{'],
    [join('contexts', 'meta', idOf('odd'), 'meta.json'), '{"Name":"odd","Endpoints":{"docker":{"Host":1}}}'],
  ])('in a broken %s is an error that names the file', async (path, content) => {
    await use('odd');
    await store('odd', {});
    await writeFile(join(folder, path), content);
    await expect(resolveDockerHost(env)).rejects.toMatchObject({
      code: 'MALFORMED',
      message: expect.stringContaining(join(folder, path)),
    });
  });

  test('is read as docker reads it, whatever the case of its keys', async () => {
    await store('odd', {});
    const path = join(folder, 'contexts', 'meta', idOf('odd'), 'meta.json');
    await writeFile(
      path,
      '{"name":"odd","endpoints":{"docker":{"host":"tcp://odd:1","skiptlsverify":true}}}',
    );
    await writeFile(join(folder, 'config.json'), '{"CurrentContext":"odd","proxies":{},"Proxies":{}}');
    const tls = { verify: false };
    expect(await resolveDockerHost(env)).toEqual({ host: 'tcp://odd:1', tls, wait: 0 });
  });

  test.each<[string, string]>([
    ['config.json', '{"currentContext":"odd","CurrentContext":"other"}'],
    ...[
      '{"Name":"odd","Endpoints":{},"endpoints":{"docker":{}}}',
      '{"Name":"odd","Endpoints":{"docker":{"Host":"unix:///a","host":"tcp://b:1"}}}',
      '{"Name":"odd","Endpoints":{"docker":{"SkipTLSVerify":false,"skipTLSVerify":true}}}',
    ].map((text): [string, string] => [join('contexts', 'meta', idOf('odd'), 'meta.json'), text]),
  ])('of which docker would read another value is an error that names %s: %s', async (path, content) => {
    await use('odd');
    await store('odd', {});
    await writeFile(join(folder, path), content);
    await expect(resolveDockerHost(env)).rejects.toMatchObject({
      code: 'MALFORMED',
      message: expect.stringMatching(/\.json: .*a key is there twice, in different case$/),
    });
  });

  test.each(['', '{}', '{"currentContext":""}'])(
    'is not current in a config.json with %j',
    async (content) => {
      await writeFile(join(folder, 'config.json'), content);
      expect(await resolveDockerHost(env, { defaultSocket: '/s' })).toEqual({ host: 'unix:///s' });
    },
  );
});

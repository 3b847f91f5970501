import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { findDockerHost, resolveDockerHost } from '../../../src/docker/connect/address.ts';
import { FakeDaemon } from '../../support/fake-daemon.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const LATE = 30_000;

let home: string;
/** A path that no socket is at. */
let defaultSocket: string;
beforeEach(async () => {
  home = await temporaryFolder();
  defaultSocket = join(home, 'none');
});

const resolve = (env: Record<string, string>, host?: string) =>
  resolveDockerHost({ HOME: home, ...env }, { host, defaultSocket });

const reason = async (env: Record<string, string>, host?: string): Promise<unknown> =>
  (await findDockerHost({ HOME: home, ...env }, { host, defaultSocket })).because;

/** A folder with an authority in it. */
async function certificates(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'ca.pem'), 'x');
  return folder;
}

describe('the daemon of an environment', () => {
  test('that says nothing is the local one', async () => {
    expect(await resolve({})).toEqual({ host: `unix://${defaultSocket}` });
    expect(await resolve({ DOCKER_HOST: '', DOCKER_CONTEXT: '', DOCKER_TLS_VERIFY: '' })).toEqual({
      host: `unix://${defaultSocket}`,
    });
    expect(await resolveDockerHost({})).toEqual({ host: 'unix:///var/run/docker.sock' });
  });

  test.each<[Record<string, string>, string]>([
    [{}, 'unix:///var/run/docker.sock'],
    // Docker's client does not ask for a context then, either.
    [{ DOCKER_CONTEXT: 'none' }, 'unix:///var/run/docker.sock'],
    [{ DOCKER_TLS_VERIFY: '1' }, 'tcp://localhost:2376'],
    [{ DOCKER_TLS: '1' }, 'tcp://localhost:2376'],
  ])("that says blanks, with %j, is docker's default", async (env, host) => {
    expect(await resolve({ DOCKER_HOST: ' ', ...env })).toMatchObject({ host });
    expect(await resolveDockerHost(env, { host: ' ' })).toMatchObject({ host });
  });

  test.each(['tcp://', ':2375', 'tcp://:2375'])('at %s is on this machine', async (host) => {
    expect((await resolve({ DOCKER_HOST: host })).host).toMatch(/^tcp:\/\/localhost(?::2375)?$/);
  });

  test.each(['unix:///s', 'ssh://me@host', 'npipe:////./pipe/docker_engine', '/nonsense'])(
    'at %s takes neither TLS nor a wait',
    async (host) => {
      expect(await resolve({ DOCKER_HOST: host, DOCKER_TLS_VERIFY: '1', CI: 'true' })).toEqual({ host });
    },
  );

  test.each([
    [{ DOCKER_TLS_VERIFY: '1' }, true],
    // As docker has it: what is not empty is set.
    [{ DOCKER_TLS_VERIFY: '0' }, true],
    [{ DOCKER_TLS: '1' }, false],
    [{ DOCKER_TLS: '1', DOCKER_TLS_VERIFY: '1' }, true],
  ])('with %j takes TLS, verified: %s', async (env, verify) => {
    const certPath = join(home, '.docker');
    const host = 'tcp://remote:4000';
    expect(await resolve({ DOCKER_HOST: host, ...env })).toEqual({
      host,
      tls: { certPath, verify },
      wait: 0,
    });
    expect(await resolve({ ...env, DOCKER_CERT_PATH: '/c' }, host)).toEqual({
      host,
      tls: { certPath: '/c', verify },
      wait: 0,
    });
    // Docker's own default where TLS is asked for and no address is.
    expect(await resolve(env)).toMatchObject({ host: 'tcp://localhost:2376', tls: { verify } });
  });

  test('without a word of TLS takes none, but on port 2376 where certificates are', async () => {
    const plain = 'tcp://remote:2375';
    const host = 'tcp://remote:2376';
    expect(await resolve({}, host)).toEqual({ host, tls: undefined, wait: 0 });
    const certPath = await certificates(join(home, '.docker'));
    expect(await resolve({}, host)).toEqual({ host, tls: { certPath, verify: true }, wait: 0 });
    expect(await resolve({}, plain)).toEqual({ host: plain, tls: undefined, wait: 0 });
    const service = await certificates(join(home, 'certs', 'client'));
    const env = { DOCKER_TLS_CERTDIR: join(home, 'certs') };
    expect(await resolve(env, host)).toMatchObject({ tls: { certPath: service, verify: true } });
    expect(await resolve({ ...env, DOCKER_CERT_PATH: '/c' }, host)).toMatchObject({
      tls: { certPath: '/c' },
    });
  });
});

describe('the docker:dind service of a job', () => {
  test('is meant by DOCKER_TLS_CERTDIR alone, with the certificates that it will make', async () => {
    expect(await resolve({ DOCKER_TLS_CERTDIR: '/nowhere' })).toEqual({
      host: 'tcp://docker:2376',
      tls: { certPath: '/nowhere/client', verify: true },
      wait: LATE,
    });
  });

  test('goes without TLS where DOCKER_TLS_CERTDIR is empty', async () => {
    const plain = { host: 'tcp://docker:2375', tls: undefined, wait: LATE };
    expect(await resolve({ DOCKER_TLS_CERTDIR: '' })).toEqual(plain);
    const host = 'tcp://docker:2376';
    expect(await resolve({ DOCKER_TLS_CERTDIR: '', DOCKER_HOST: host, CI: 'true' })).toEqual({
      ...plain,
      host,
    });
  });

  test('is not meant where there is a local socket', async () => {
    const fake = await FakeDaemon.start();
    defaultSocket = fake.host.slice('unix://'.length);
    for (const folder of ['', '/nowhere']) {
      expect(await resolve({ DOCKER_TLS_CERTDIR: folder, CI: 'true' })).toEqual({ host: fake.host });
    }
  });

  test.each([
    ['tcp://docker:2375', undefined],
    ['tcp://localhost:2376', { certPath: '/certs/client' }],
    ['tcp://docker:2376/', { certPath: '/certs/client' }],
  ])('at %s is waited for in CI, with the TLS %j', async (host, tls) => {
    expect(await resolve({ DOCKER_HOST: host, CI: 'true' })).toEqual({ host, tls, wait: LATE });
    expect(await resolve({ DOCKER_HOST: host, CI: 'false' })).toEqual({ host, tls: undefined, wait: 0 });
  });

  test('has its certificates where all of its variables say so', async () => {
    const env = {
      CI: 'true',
      DOCKER_HOST: 'tcp://docker:2376',
      DOCKER_TLS_CERTDIR: '/nowhere',
      DOCKER_TLS_VERIFY: '1',
      DOCKER_CERT_PATH: '/nowhere/client',
    };
    const expected = { certPath: '/nowhere/client', verify: true };
    expect(await resolve(env)).toEqual({ host: 'tcp://docker:2376', tls: expected, wait: LATE });
    expect(await resolve({ ...env, DOCKER_CERT_PATH: '' })).toMatchObject({ tls: expected });
  });
});

describe('what decided about the address', () => {
  test.each<[Record<string, string>, string | undefined, unknown]>([
    [{ DOCKER_HOST: 'unix:///a' }, 'unix:///b', { by: 'host' }],
    [{ DOCKER_HOST: 'unix:///a', DOCKER_CONTEXT: 'x' }, undefined, { by: 'variable', name: 'DOCKER_HOST' }],
    [{}, undefined, { by: 'default' }],
    [{ DOCKER_HOST: '', DOCKER_CONTEXT: 'default' }, undefined, { by: 'default' }],
    [{ DOCKER_TLS_CERTDIR: '' }, undefined, { by: 'variable', name: 'DOCKER_TLS_CERTDIR' }],
    [{ DOCKER_TLS: '1' }, undefined, { by: 'variable', name: 'DOCKER_TLS' }],
    [{ DOCKER_TLS: '1', DOCKER_TLS_VERIFY: '1' }, undefined, { by: 'variable', name: 'DOCKER_TLS_VERIFY' }],
  ])('is found: %j, --host %s', async (env, host, expected) => {
    expect(await reason(env, host)).toEqual(expected);
  });
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SaveResult } from '../../src/index.ts';
import { makeCargo } from '../docker/cargo.ts';
import { Authority } from '../support/certificates.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import type { FakeProxy } from '../support/fake-proxy.ts';
import { startProxy } from '../support/fake-proxy.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { PASSWORD, USER } from '../support/fake-registry-tokens.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { writeCargo } from '../support/write-cargo.ts';

/** The registry of Docker Hub has another host than its references, and its token server has a third one. */
const HOSTS = ['registry-1.docker.io', 'auth.docker.io'];
const BASE = makeCargo({ layers: ['base', 'middle'] });
const APP = makeCargo({ layers: ['base', 'middle', 'app'] });
const AUTH = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');

let cwd: string;
let hub: FakeRegistry;
let proxy: FakeProxy;
beforeEach(async () => {
  cwd = await temporaryFolder();
  const authority = new Authority();
  await writeFile(join(cwd, 'ca.pem'), authority.cert);
  const tls = authority.issue({ names: HOSTS });
  hub = await FakeRegistry.start({ tls, auth: 'token', realm: 'https://auth.docker.io/token' });
  proxy = await startProxy(Object.fromEntries(HOSTS.map((host) => [`${host}:443`, hub.host])));
  const { blobs, manifests, tags } = hub.store.repository('library/alpine');
  for (const [digest, bytes] of BASE.source.blobs) blobs.set(digest, Buffer.from(bytes));
  const manifest = BASE.source.blobs.get(BASE.root.digest) ?? expect.fail();
  manifests.set(BASE.root.digest, { mediaType: BASE.root.mediaType, bytes: Buffer.from(manifest) });
  for (const tag of ['3', 'latest']) tags.set(tag, BASE.root.digest);
  await writeCargo(join(cwd, 'built'), APP, 'app:1');
});

/** A job that reaches servers through a proxy, and that names no registry. */
const run = async (args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> =>
  drayage(args, { cwd, env: envOf(env) });
const envOf = (env: Record<string, string>): Record<string, string> => ({
  ...gitlabJob('123', 'build'),
  HOME: cwd,
  HTTPS_PROXY: proxy.url,
  DRAYAGE_CA: 'ca.pem',
  ...env,
});
const login = (key: string): Record<string, string> => ({
  DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [key]: { auth: AUTH } } }),
});
const saveThin = async (base: string, env: Record<string, string> = {}): Promise<SaveResult> =>
  drayageJson(['save', '--from', 'built', '--thin', 'always', '--base', base], { cwd, env: envOf(env) });
const LOAD = ['load', '--to', 'docker-archive:app.tar'];

/** It was asked at its own hosts, and nobody else was. */
function expectOnlyHub(): void {
  expect(new Set(proxy.seen)).toEqual(new Set(HOSTS.map((host) => `CONNECT ${host}:443`)));
  const scopes = hub.seen.flatMap(({ server, url }) =>
    server === 'token' ? new URL(url, 'https://x').searchParams.getAll('scope') : [],
  );
  expect(new Set(scopes)).toEqual(new Set(['repository:library/alpine:pull']));
}

describe('a base image of Docker Hub', () => {
  test.each([
    'alpine',
    'alpine:3',
    'library/alpine',
    'docker.io/alpine:3',
    'docker.io/library/alpine',
    'index.docker.io/library/alpine:3',
  ])('is found as %s without a login, and read by the job that loads', async (base) => {
    hub.options.anonymous = true;
    const { images } = await saveThin(base);
    expect(images[0]?.layers.map(({ status }) => status)).toEqual(['omitted', 'omitted', 'written']);
    expect(await run(LOAD)).toMatchObject({ code: 0 });
    expectOnlyHub();
  });

  test.each(['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io'])(
    'is read with the login that is kept as %s',
    async (key) => {
      expect((await saveThin('alpine', login(key))).images[0]?.layers[0]?.status).toBe('omitted');
      expect(await run(LOAD, login(key))).toMatchObject({ code: 0 });
      expectOnlyHub();
      // The password goes to the token server only.
      const shown = hub.seen.filter(({ authorization }) => authorization?.startsWith('Basic ') === true);
      expect(new Set(shown.map(({ server }) => server))).toEqual(new Set(['token']));
    },
  );

  test('that needs a login is exit 1 for a job without one', async () => {
    await saveThin('alpine', login('https://index.docker.io/v1/'));
    const { code, stderr } = await run(LOAD);
    expect([code, stderr]).toEqual([1, expect.stringContaining('docker.io')]);
  });
});

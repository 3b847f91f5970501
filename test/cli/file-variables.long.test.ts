import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Authority } from '../support/certificates.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { PASSWORD, USER } from '../support/fake-registry-tokens.ts';
import { FakeSigstore, identityToken } from '../support/fake-sigstore.ts';
import { fixturePath } from '../support/fixtures.ts';
import { SIGNING_JOB, TAKING_JOB } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const API = 'drayage-demo/api:1.0';
/** The user ID of many job images; without root, tests run as who started them. */
const JOB_USER = process.geteuid?.() === 0 ? 1000 : undefined;

let sigstore: FakeSigstore;
beforeAll(async () => {
  sigstore = await FakeSigstore.start();
});
afterAll(() => sigstore.close());

/** Where the runner has its builds, as jobs see it. */
let builds: string;
beforeEach(async () => {
  const root = await temporaryFolder();
  await mkdir(join(root, 'disk/builds/group/app'), { recursive: true });
  await mkdir(join(root, 'disk/builds/group/app.tmp'));
  builds = join(root, 'disk/builds');
  for (const folder of ['group/app', 'group/app.tmp']) await chmod(join(builds, folder), 0o777);
  await chmod(root, 0o755);
});

/** Writes a variable of type File, as the runner does: beside the workspace, for everybody. */
async function fileVariable(name: string, text: string | Buffer): Promise<string> {
  const path = join(builds, 'group/app.tmp', name);
  await writeFile(path, text);
  await chmod(path, 0o666);
  return path;
}

async function run(args: string[], env: Record<string, string> = {}): Promise<CliResult> {
  const cwd = join(builds, 'group/app');
  const all = { ...TAKING_JOB, CI_PROJECT_DIR: cwd, HOME: '', ...env };
  return drayage(args, { cwd, uid: JOB_USER, before: 'umask 000', env: all });
}
const done = { code: 0 };
const save = ['save', API, '--from', fixturePath('demo.tar')];
const OUT = ['load', '--to', 'docker-archive:app.tar', '--expect-signed'];

describe.each([
  ['beside the workspace', async () => {}],
  [
    'where the folder of builds is a link',
    async () => {
      await symlink(builds, join(dirname(dirname(builds)), 'builds'));
      builds = join(dirname(dirname(builds)), 'builds');
    },
  ],
])('a variable of type File, %s,', (_, prepare) => {
  beforeEach(prepare);

  test('holds the key that signs, and the one that verifies', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = await fileVariable('COSIGN_KEY', privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const pub = await fileVariable('COSIGN_PUB', publicKey.export({ type: 'spki', format: 'pem' }));
    expect(await run([...save, '--sign', '--key', key], SIGNING_JOB)).toMatchObject(done);
    expect(await run([...OUT, '--key', pub])).toMatchObject(done);
    expect(await run(['verify'], { DRAYAGE_KEY: pub })).toMatchObject(done);
  });

  test('holds the trusted root', async () => {
    const root = await fileVariable('TRUSTED_ROOT', sigstore.root());
    const token = { ...SIGNING_JOB, SIGSTORE_ID_TOKEN: identityToken() };
    expect(await run([...save, '--sign', '--keyless', ...sigstore.options], token)).toMatchObject(done);
    expect(await run([...OUT, '--trusted-root', root])).toMatchObject(done);
  });

  test.each(['https', 'http'])('holds the authorities and logins of a registry by %s', async (scheme) => {
    const authority = new Authority();
    const tls = scheme === 'https' ? { tls: authority.issue({ names: ['127.0.0.1'] }) } : {};
    const registry = await FakeRegistry.start({ auth: 'token', ...tls });
    const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
    const env = {
      CI_SERVER_TLS_CA_FILE: await fileVariable('CI_SERVER_TLS_CA_FILE', authority.cert),
      DOCKER_AUTH_CONFIG: await fileVariable(
        'DOCKER_AUTH_CONFIG',
        JSON.stringify({ auths: { [registry.host]: { auth } } }),
      ),
    };
    expect(await run(save)).toMatchObject(done);
    expect(await run(['promote', API, `${registry.host}/api:1`], env)).toMatchObject(done);
  });
});

test('what is no file in DOCKER_AUTH_CONFIG is not repeated', async () => {
  const registry = await FakeRegistry.start({ auth: 'token' });
  expect(await run(save)).toMatchObject(done);
  const promote = ['promote', API, `${registry.host}/api:1`];
  for (const value of ['/planted/secret', 'planted-secret', '"planted-secret"']) {
    const { code, stderr } = await run(promote, { DOCKER_AUTH_CONFIG: value });
    expect([code, stderr]).toEqual([1, expect.stringContaining('DOCKER_AUTH_CONFIG')]);
    expect(stderr).not.toContain('planted');
  }
});

test('an empty DOCKER_AUTH_CONFIG is none', async () => {
  const registry = await FakeRegistry.start({ auth: 'token' });
  expect(await run(save)).toMatchObject(done);
  const env = { DOCKER_AUTH_CONFIG: await fileVariable('DOCKER_AUTH_CONFIG', '\n') };
  const { code, stderr } = await run(['promote', API, `${registry.host}/api:1`], env);
  expect([code, stderr]).toEqual([1, expect.stringContaining('it requires credentials')]);
  expect(stderr).not.toContain('is not JSON');
});

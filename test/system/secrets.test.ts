import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import type { RegistryFault } from '../support/fake-registry.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { PASSWORD, USER } from '../support/fake-registry-tokens.ts';
import { fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const API = 'drayage-demo/api:1.0';
const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

const run = async (args: string[], env: Record<string, string> = {}): Promise<CliResult> =>
  drayage(args, { cwd, env: { HOME: join(cwd, 'home'), ...env } });
const save = async (): Promise<void> => {
  expect(await run(['save', '--from', fixturePath('demo.tar'), '-q'])).toMatchObject({ code: 0 });
};

/** docker's config.json in the home of this test. */
async function dockerConfig(config: object): Promise<void> {
  await mkdir(join(cwd, 'home/.docker'), { recursive: true });
  await writeFile(join(cwd, 'home/.docker/config.json'), JSON.stringify(config));
}

/** What would be a secret, in all its forms. */
const SECRETS = ['planted', auth, Buffer.from(PASSWORD).toString('base64')];

const expectSilent = (results: CliResult[]): void => {
  for (const { stdout, stderr } of results) {
    for (const secret of SECRETS) expect(stdout + stderr).not.toContain(secret);
  }
};

/** Refuses, and names a token server. */
const challenge = (at: string): RegistryFault => {
  const realm = `http://${at}/token?key=planted-query`;
  const value = `Bearer realm="${realm}",service="planted-service"`;
  return (_, response) => void response.writeHead(401, { 'www-authenticate': value }).end();
};

/** A server that repeats what it was told, in every way it can. */
const echo =
  (status: number): RegistryFault =>
  ({ headers }, response) => {
    const said = headers.authorization ?? '';
    if (said === '') return 'pass';
    response.setHeader('warning', `299 - "you said ${said}"`);
    const secret = said.replace(/^\w+ /, '');
    const errors = [{ code: 'DENIED', message: `${secret} ${PASSWORD} ${auth} ${said}`, detail: secret }];
    return void response.writeHead(status).end(JSON.stringify({ errors }));
  };

describe('no secret is shown', () => {
  test('whatever goes wrong', async () => {
    const fake = await FakeRegistry.start({ auth: 'token', redirect: true });
    await save();
    await dockerConfig({ auths: { [fake.host]: { auth }, 'other.example': { auth: 'cGxhbnRlZA' } } });
    const env = {
      CI_JOB_TOKEN: 'planted-job-token',
      CI_REGISTRY: '127.0.0.1:1',
      CI_REGISTRY_USER: 'planted-ci-user',
      CI_REGISTRY_PASSWORD: 'planted-ci-password',
    };
    const args = ['promote', API, `${fake.host}/api:1`, '--debug'];
    const results = [await run(args, env)];
    fake.faults.registry = (request, response) =>
      request.method === 'PUT' ? echo(403)(request, response) : 'pass';
    const elsewhere = ['promote', API, `${fake.host}/other:1`, '--debug'];
    const denied = await run(elsewhere, env);
    expect(denied.stderr).toContain('*** *** ***');
    results.push(denied, await run([...elsewhere, '--json'], env));
    for (const [who, status] of [
      ['token', 401],
      ['token', 200],
    ] as const) {
      fake.faults.registry = () => 'pass';
      fake.faults[who] = (_, response) => void response.writeHead(status).end(`{"no":"planted-token"}`);
      results.push(await run(['promote', API, `${fake.host}/third:1`, '--debug'], env));
    }
    const wrong = [
      `https://${USER}:${PASSWORD}@${fake.host}/api:1`,
      `${USER}:${PASSWORD}@${fake.host}/api:1`,
      `${fake.host}/api:$CI_JOB_TOKEN`,
      '127.0.0.1:1/api:1',
    ].flatMap((reference) => [
      run(['promote', API, reference, '--debug', '--json'], env),
      run(['untag', reference, '--debug'], env),
    ]);
    const proxies = ['127.0.0.1:1', ':::'].map((at) => `http://${USER}:${PASSWORD}@${at}`);
    const proxied = proxies.map((HTTPS_PROXY) =>
      run(['promote', API, 'registry.invalid/api:1', '--debug'], { ...env, HTTPS_PROXY }),
    );
    const broken = await FakeRegistry.start();
    broken.faults.registry = (_, response) => void response.writeHead(500).end('planted-page');
    const failing = run(['promote', API, `${broken.host}/api:1`, '--debug'], env);
    results.push(...(await Promise.all([...wrong, ...proxied, failing])));
    await dockerConfig({ auths: { [fake.host]: auth } });
    results.push(await run(args, env));
    await writeFile(join(cwd, 'home/.docker/config.json'), `{"auths":{"${fake.host}":{"auth":"${auth}"`);
    results.push(await run(args, env));
    expect(results.map(({ code }) => code)).toEqual([0, ...results.slice(1).map(() => expect.any(Number))]);
    expect(results.slice(1).map(({ code }) => code)).not.toContain(0);
    expectSilent(results);
    const storage = fake.seen.filter(({ server, authorization }) => server === 'storage' && authorization);
    expect(storage).toEqual([]);
  });

  test('of the registry that holds the base of a thin layout', async () => {
    const fake = await FakeRegistry.start({ auth: 'token', redirect: true });
    await save();
    await dockerConfig({ auths: { [fake.host]: { auth } } });
    const base = `${fake.host}/group/base:1`;
    expect(await run(['promote', API, base])).toMatchObject({ code: 0 });
    const thin = (to: string): Promise<CliResult> =>
      run([
        'save',
        '--from',
        `oci:.drayage/images:${API}`,
        '--thin',
        'always',
        '--base',
        base,
        '-o',
        to,
        '--debug',
      ]);
    const read = ['load', 'thin', '--to', 'docker-archive:out.tar', '--debug'];
    const good = [await thin('thin'), await run([...read, '--json'])];
    expect(good).toMatchObject([
      { code: 0, stdout: expect.stringContaining('omitted') as string },
      { code: 0 },
    ]);
    const bad: CliResult[] = [];
    for (const status of [403, 500]) {
      fake.faults.registry = echo(status);
      bad.push(await run(read), await run(['fetch', '--complete', 'thin', '--debug', '--json']));
      expect(await thin(`whole-${status}`)).toMatchObject({ code: 0 });
    }
    fake.faults.registry = () => 'pass';
    fake.faults.token = echo(401);
    bad.push(await run(read));
    await dockerConfig({ auths: { [fake.host]: { auth: Buffer.from('planted').toString('base64') } } });
    bad.push(await run(read));
    expect(bad.map(({ code }) => code)).not.toContain(0);
    for (const { stdout, stderr } of bad) expect(stdout + stderr).toContain(fake.host);
    expectSilent([...good, ...bad]);
  });

  test('that a credential helper knows, or tells where it fails', async () => {
    const fake = await FakeRegistry.start({ auth: 'basic' });
    await save();
    await dockerConfig({ credHelpers: { [fake.host]: 'vault' } });
    const bin = join(cwd, 'bin');
    await mkdir(bin);
    const promoteWith = async (lines: string): Promise<CliResult> => {
      await writeFile(join(bin, 'docker-credential-vault'), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
      const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}` };
      return run(['promote', API, `${fake.host}/api:1`, '--debug', '--json'], env);
    };
    const answer = `printf '{"Username":"${USER}","Secret":"%s"}'`;
    const tells = `echo "no: ${PASSWORD} ${auth}"; echo "planted on standard error" >&2`;
    const results = [
      await promoteWith(`${answer} ${PASSWORD}; echo planted-note >&2`),
      await promoteWith(`${answer} planted-but-wrong`),
      await promoteWith(`${tells}; exit 1`),
      await promoteWith(tells),
      await promoteWith(`echo '{"Username":1,"Secret":["${PASSWORD}"]}'`),
      await promoteWith('kill -9 $$'),
    ];
    expect(results.map(({ code }) => code)).toEqual([0, 1, 1, 1, 1, 1]);
    for (const { stdout } of results.slice(2)) expect(stdout).toContain('docker-credential-vault');
    expectSilent(results);
  });

  test('whatever a token server elsewhere answers', async () => {
    const [fake, elsewhere] = [await FakeRegistry.start({ auth: 'token' }), await FakeRegistry.start()];
    await save();
    await dockerConfig({ auths: { [fake.host]: { auth } } });
    fake.faults.registry = challenge(elsewhere.host);
    const trusting = { DRAYAGE_REGISTRIES: elsewhere.host };
    const promote = ['promote', API, `${fake.host}/api:1`, '--debug'];
    const results: CliResult[] = [];
    for (const fault of [echo(401), echo(403), echo(500), echo(200)]) {
      elsewhere.faults.token = fault;
      results.push(await run(promote, trusting), await run([...promote, '--json'], trusting));
    }
    elsewhere.faults.token = ({ headers }, response) => {
      const location = `http://${fake.host}/token?planted=${encodeURIComponent(headers.authorization ?? '')}`;
      return void response.writeHead(302, { location }).end();
    };
    results.push(await run(promote, trusting));
    expect(results.map(({ code }) => code)).toEqual([1, 1, 1, 1, 3, 3, 3, 3, 3]);
    // Not trusted, or with a name and a password in its address: it is not asked.
    elsewhere.seen.splice(0);
    results.push(await run(promote));
    fake.faults.registry = challenge(`planted-name:planted-key@${elsewhere.host}`);
    results.push(await run(promote, trusting));
    expect(results.slice(-2).map(({ code }) => code)).toEqual([2, 2]);
    expect(elsewhere.seen).toEqual([]);
    expectSilent(results);
  });
});

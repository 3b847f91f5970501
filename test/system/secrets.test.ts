import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
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

describe('no secret is shown', () => {
  /** What would be one, in all its forms. */
  const SECRETS = ['planted', auth, Buffer.from(PASSWORD).toString('base64')];

  const expectSilent = (results: CliResult[]): void => {
    for (const { stdout, stderr } of results) {
      for (const secret of SECRETS) expect(stdout + stderr).not.toContain(secret);
    }
  };

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
    // A registry that repeats what it was told, in every way it can.
    fake.faults.registry = ({ headers, method }, response) => {
      const said = headers.authorization ?? '';
      if (said === '') return 'pass';
      response.setHeader('warning', `299 - "you said ${said}"`);
      if (method !== 'PUT') return 'pass';
      const secret = said.replace('Bearer ', '');
      const errors = [{ code: 'DENIED', message: `${secret} ${PASSWORD} ${auth} ${said}`, detail: secret }];
      return void response.writeHead(403).end(JSON.stringify({ errors }));
    };
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
});

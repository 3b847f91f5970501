import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { PromoteResult, UntagResult } from '../../src/index.ts';
import { Authority } from '../support/certificates.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { IDENTITY_TOKEN, PASSWORD, USER } from '../support/fake-registry-tokens.ts';
import { fixturePath } from '../support/fixtures.ts';
import { startProxy } from '../support/fake-proxy.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const API = 'drayage-demo/api:1.0';
const JOB = gitlabJob('123', 'promote');
const { PATH = '' } = process.env;

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

type Env = Record<string, string>;
const own = (env: Env): Env => ({ HOME: join(cwd, 'home'), ...env });
const run = async (args: string[], env: Env = {}): Promise<CliResult> =>
  drayage(args, { cwd, env: own(env) });
const save = async (env: Env = {}): Promise<void> => {
  expect(await run(['save', '--from', fixturePath('demo.tar'), '-q'], env)).toMatchObject({ code: 0 });
};
const promoted = async (args: string[], env: Env = {}): Promise<PromoteResult> =>
  drayageJson(['promote', ...args], { cwd, env: own(env) });

/** docker's config.json in the home of this test. */
async function dockerConfig(config: object): Promise<void> {
  await mkdir(join(cwd, 'home/.docker'), { recursive: true });
  await writeFile(join(cwd, 'home/.docker/config.json'), JSON.stringify(config));
}

const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');

describe('promote', () => {
  test('says what to deploy', async () => {
    const fake = await FakeRegistry.start();
    await save();
    const result = await promoted([API, `${fake.host}/api:1`, `${fake.host}/api:latest`]);
    expect(Object.keys(result)).toEqual(['images', 'bytes', 'seconds']);
    const { digest } = result.images[0] ?? {};
    expect(result.images[0]?.tags.map(({ digestRef }) => digestRef)).toEqual(
      Array.from({ length: 2 }, () => `${fake.host}/api@${digest}`),
    );
    const quiet = await run(['promote', API, `${fake.host}/api:1`, '-q']);
    expect(quiet.stdout).toBe(`${fake.host}/api@${digest}\n`);
    const text = await run(['promote', API, `${fake.host}/api:1`]);
    expect(text.stdout).toContain(`${fake.host}/api:1: ${fake.host}/api@${digest}, as before\n`);
    expect(text.stdout).toMatch(/1 image: 0 B sent of /);
  });

  test('puts all images where a template says', async () => {
    const fake = await FakeRegistry.start();
    await save();
    await promoted(
      ['--all', '--to', `${fake.host}/group/{name}:{tag}`, '--to', `${fake.host}/{name}:$CI_COMMIT_SHA`],
      {
        CI_COMMIT_SHA: 'abc',
      },
    );
    const tags = [...fake.store.repositories].map(([path, { tags: held }]) => [path, [...held.keys()]]);
    expect(Object.fromEntries(tags)).toEqual({
      'group/drayage-demo/api': ['1.0'],
      'group/drayage-demo/worker': ['1.0'],
      'drayage-demo/api': ['abc'],
      'drayage-demo/worker': ['abc'],
    });
  });

  test('gives the tags of a version', async () => {
    const fake = await FakeRegistry.start();
    await save();
    await promoted([API, `${fake.host}/api`, `${fake.host}/api:stable`, '--semver'], {
      CI_COMMIT_TAG: 'v1.2.3',
    });
    expect([...fake.store.repository('api').tags.keys()]).toEqual(['1.2.3', '1.2', '1', 'stable']);
  });

  test('moves no tag with --if-absent', async () => {
    const fake = await FakeRegistry.start();
    await save();
    await promoted([API, `${fake.host}/app:1`]);
    const { code, stderr } = await run([
      'promote',
      'drayage-demo/worker:1.0',
      `${fake.host}/app:1`,
      '--if-absent',
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${fake.host}/app:1 is there already`);
  });

  test.each([
    [[], 'which image, and to where?'],
    [[API], 'where is drayage-demo/api:1.0 to go?'],
    [['--all'], '--all to where?'],
    [['--all', API, '--to', 'r.example/app'], '--all takes no'],
    [[API, 'NOT/a ref'], 'not an image reference'],
  ])('%j is a mistake', async (args, message) => {
    await save();
    const { code, stderr } = await run(['promote', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  test('in a job takes the images of its pipeline, and writes its reports', async () => {
    const fake = await FakeRegistry.start();
    await save(JOB);
    const env = { ...JOB, CI_REGISTRY: fake.host };
    const args = [API, `${fake.host}/group/app/api:1`, '--env', 'IMAGE_DIGEST'];
    expect(await run(['promote', ...args], { ...env, CI_PIPELINE_ID: '4712' })).toMatchObject({ code: 5 });
    expect(fake.seen).toEqual([]);
    const { images } = await promoted(args, env);
    const { digest, id } = images[0] ?? {};
    expect((await readFile(join(cwd, '.drayage/report.env'), 'utf8')).trim().split('\n')).toEqual([
      `IMAGE_DIGEST=${digest}`,
      `DRAYAGE_GROUP_APP_API_REF=${fake.host}/group/app/api@${digest}`,
      `DRAYAGE_GROUP_APP_API_ID=${id}`,
      `DRAYAGE_GROUP_APP_API_DIGEST=${digest}`,
    ]);
    expect(JSON.parse(await readFile(join(cwd, '.drayage/annotations.json'), 'utf8'))).toEqual({
      drayage: [
        {
          external_link: {
            label: `${fake.host}/group/app/api:1`,
            url: 'https://gitlab.example/group/app/container_registry',
          },
        },
      ],
    });
  });

  test('goes through a proxy', async () => {
    const proxy = await startProxy();
    const authority = new Authority();
    const fake = await FakeRegistry.start({ tls: authority.issue({ names: ['registry.example'] }) });
    const host = fake.host.replace('127.0.0.1', 'registry.example');
    await writeFile(join(cwd, 'ca.pem'), authority.cert);
    await save();
    const args = ['promote', API, `${host}/app:1`];
    expect(await run([...args, '--ca', 'ca.pem'], { HTTPS_PROXY: proxy.url })).toMatchObject({ code: 0 });
    expect(proxy.seen).toContain(`CONNECT ${host}`);
  });
});

describe('a registry with a private authority', () => {
  test('is trusted by --ca, or by what docker trusts for it', async () => {
    const authority = new Authority();
    const fake = await FakeRegistry.start({ tls: authority.issue({ names: ['127.0.0.1'] }), auth: 'token' });
    const env = { DRAYAGE_CERTS_D: join(cwd, 'certs.d') };
    await dockerConfig({ auths: { [fake.host]: { auth } } });
    await save();
    const args = ['promote', API, `${fake.host}/api:1`];
    const { code, stderr } = await run(args, env);
    expect([code, stderr]).toEqual([3, expect.stringContaining('its certificate authority is not known')]);
    await writeFile(join(cwd, 'ca.pem'), authority.cert);
    expect(await run([...args, '--ca', 'ca.pem'], env)).toMatchObject({ code: 0 });
    await mkdir(join(env.DRAYAGE_CERTS_D, fake.host), { recursive: true });
    await writeFile(join(env.DRAYAGE_CERTS_D, fake.host, 'ca.crt'), authority.cert);
    expect(await run(args, env)).toMatchObject({ code: 0 });
  });
});

/** A program on the PATH that is a credential helper. */
async function helper(answer: object): Promise<Env> {
  const folder = join(cwd, 'bin');
  await mkdir(folder);
  await writeFile(
    join(folder, 'docker-credential-vault'),
    `#!/bin/sh\ncat >/dev/null\necho '${JSON.stringify(answer)}'\n`,
  );
  await chmod(join(folder, 'docker-credential-vault'), 0o755);
  return { PATH: `${folder}:${PATH}` };
}

describe('credentials', () => {
  test.each(['config.json', 'DOCKER_CONFIG', 'DOCKER_AUTH_CONFIG', 'a helper', 'CI_REGISTRY_PASSWORD'])(
    'come from %s',
    async (place) => {
      const fake = await FakeRegistry.start({ auth: 'token' });
      await save();
      const config = { auths: { [fake.host]: { auth } } };
      let env: Env = {};
      if (place === 'config.json') await dockerConfig(config);
      if (place === 'DOCKER_AUTH_CONFIG') env = { DOCKER_AUTH_CONFIG: JSON.stringify(config) };
      if (place === 'CI_REGISTRY_PASSWORD')
        env = { CI_REGISTRY: fake.host, CI_REGISTRY_USER: USER, CI_REGISTRY_PASSWORD: PASSWORD };
      if (place === 'a helper') {
        await dockerConfig({ credHelpers: { [fake.host]: 'vault' } });
        env = await helper({ ServerURL: fake.host, Username: '<token>', Secret: IDENTITY_TOKEN });
      }
      if (place === 'DOCKER_CONFIG') {
        await writeFile(join(cwd, 'config.json'), JSON.stringify(config));
        env = { DOCKER_CONFIG: cwd };
      }
      const { code, stderr } = await run(['promote', API, `${fake.host}/api:1`], env);
      expect([code, stderr]).toEqual([0, expect.anything()]);
    },
  );

  test('that are missing are asked for', async () => {
    const fake = await FakeRegistry.start({ auth: 'token' });
    await save();
    const { code, stderr } = await run(['promote', API, `${fake.host}/api:1`]);
    expect(code).toBe(1);
    expect(stderr).toContain(`docker login ${fake.host}`);
  });
});

test('in a job promotes nothing that it could not report', async () => {
  const fake = await FakeRegistry.start();
  await save(JOB);
  const { code, stderr } = await run(['promote', API, `${fake.host}/api:1`, '--env', 'KEY=mistyped:1'], JOB);
  expect([code, stderr]).toEqual([4, expect.stringContaining('mistyped:1')]);
  expect(fake.seen).toEqual([]);
});

describe('untag', () => {
  test('takes tags away, and says which', async () => {
    const fake = await FakeRegistry.start({ deletes: 'manifests' });
    await save();
    await promoted([API, `${fake.host}/api:1`, `${fake.host}/api:pr-7`]);
    const { tags } = await drayageJson<UntagResult>(['untag', `${fake.host}/api:pr-$CI_MERGE_REQUEST_IID`], {
      cwd,
      env: own({ CI_MERGE_REQUEST_IID: '7' }),
    });
    expect(tags).toEqual([{ ref: `${fake.host}/api:pr-7`, status: 'removed' }]);
    const again = await run(['untag', `${fake.host}/api:pr-7`]);
    expect([again.code, again.stdout]).toEqual([0, `${fake.host}/api:pr-7: was not there\n`]);
    expect([...fake.store.repository('api').tags.keys()]).toEqual(['1']);
  });

  test('says where nothing can be deleted', async () => {
    const fake = await FakeRegistry.start({ deletes: 'nothing' });
    await save();
    await promoted([API, `${fake.host}/api:1`]);
    const { code, stderr } = await run(['untag', `${fake.host}/api:1`]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('deletes neither tags nor manifests')]);
  });
});

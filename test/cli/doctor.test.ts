import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { openCache } from '../../src/cli/cache.ts';
import type { Check } from '../../src/cli/doctor/check.ts';
import { checkCache } from '../../src/cli/doctor/cache.ts';
import { checkDaemon } from '../../src/cli/doctor/daemon.ts';
import type { DoctorCommandOptions, DoctorInput } from '../../src/cli/doctor/input.ts';
import { checkNode } from '../../src/cli/doctor/node.ts';
import { MINIMUM_NODE } from '../../src/cli/node-version.ts';
import { imageConfig, json } from '../support/archives/images.ts';
import { END, entry, tar } from '../support/archives/tar-bytes.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { FakeGitLab, JOB_TOKEN, TOKEN } from '../support/fake-gitlab.ts';
import { fixturePath } from '../support/fixtures.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { contextOf } from './contexts.ts';
import { asNobody, NOBODY } from '../support/as-nobody.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ROOT = new URL('../../', import.meta.url);
const NAMES = [
  'node',
  'request',
  'job',
  'signing',
  'layout',
  'daemon',
  'codec',
  'limit',
  'thin',
  'tokens',
  'credentials',
  'hosts',
  'cache',
];

interface Report {
  status: string;
  exitCode: number;
  checks: Check[];
}

let home: string;
beforeEach(async () => {
  home = await temporaryFolder();
});

async function doctor(args: string[], env: Record<string, string> = {}): Promise<CliResult> {
  return drayage(['doctor', ...args], { cwd: home, env: { HOME: home, ...env } });
}

/** The report, which states the exit code that the process has. */
async function report(args: string[], env: Record<string, string> = {}): Promise<Report> {
  const { code, stdout, stderr } = await doctor([...args, '--json'], env);
  const found: Report = JSON.parse(stdout);
  expect(found.exitCode, stderr).toBe(code);
  return found;
}

function find({ checks }: Report, name: string): Check | undefined {
  return checks.find((check) => check.name === name);
}

/** For checks in this process. */
function input(options: DoctorCommandOptions, env: Record<string, string> = {}): DoctorInput {
  const { stdin, stdout } = process;
  const { signal } = new AbortController();
  return { names: [], options, context: { env, stdin, stdout, signal, onProgress: () => {} } };
}

describe('the report', () => {
  test('has every check, each with its facts', async () => {
    const fake = await FakeDaemon.start({ kind: 'containerd' });
    const found = await report([], { DOCKER_HOST: fake.host });
    expect(found).toMatchObject({ status: 'ok', exitCode: 0 });
    expect(found.checks.map(({ name }) => name)).toEqual(NAMES);
    for (const check of found.checks) {
      expect(check).toMatchObject({ status: 'ok', message: expect.stringMatching(/./), facts: {} });
    }
    expect(find(found, 'daemon')?.facts).toEqual({
      address: fake.host,
      because: { by: 'variable', name: 'DOCKER_HOST' },
      tls: null,
      kind: 'containerd',
      serverVersion: '28.5.2',
      apiVersion: '1.51',
      platform: 'linux/amd64',
      shared: false,
    });
  });

  test('is a screen for people, with a line for each check', async () => {
    const fake = await FakeDaemon.start();
    const { code, stdout, stderr } = await doctor(['--host', fake.host]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => line.startsWith('ok '))).toHaveLength(NAMES.length);
    expect(lines.find((line) => line.includes(' daemon '))).toMatch(
      /docker with its own image store, version 28\.5\.2 \(API 1\.51\), at unix:.*; the address comes from --host$/,
    );
    expect(lines.at(-1)).toBe('exit code of a save here: 0');
    expect(lines.length).toBeLessThan(25);
  });

  test('leaves nothing behind', async () => {
    await report(['--from', fixturePath('docker-28-graph.tar')], { TMPDIR: home });
    expect(await readdir(home)).toEqual([]);
  });

  test('holds no secret, only where each is', async () => {
    const auth = Buffer.from('me:planted-password').toString('base64');
    await mkdir(join(home, '.docker'));
    await writeFile(
      join(home, '.docker/config.json'),
      JSON.stringify({
        auths: { 'registry.example': { auth } },
        credHelpers: { 'ecr.example': 'ecr-login' },
      }),
    );
    const fake = await FakeDaemon.start();
    const env = {
      ...gitlabJob('7', 'build'),
      DOCKER_HOST: fake.host,
      DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'variable.example': { auth } } }),
      CI_JOB_TOKEN: 'planted-job-token',
      COSIGN_PASSWORD: 'planted-cosign',
      CI_REGISTRY: 'registry.gitlab.example',
      CI_REGISTRY_USER: 'job',
      CI_REGISTRY_PASSWORD: 'planted-registry-password',
      CI_API_V4_URL: 'https://user:planted-userinfo@gitlab.example/api/v4',
      HTTPS_PROXY: 'http://user:planted-proxy@proxy.example:3128',
    };
    const found = await report([], env);
    const { stdout } = await doctor([], env);
    expect(find(found, 'credentials')?.facts).toEqual({
      sources: [
        { name: 'DOCKER_AUTH_CONFIG', hosts: ['variable.example'], store: null },
        { name: join(home, '.docker/config.json'), hosts: ['registry.example', 'ecr.example'], store: null },
        { name: 'the variables of GitLab', hosts: ['registry.gitlab.example'], store: null },
      ],
    });
    expect(find(found, 'tokens')?.facts).toEqual({ set: ['CI_JOB_TOKEN', 'COSIGN_PASSWORD'] });
    expect(find(found, 'hosts')?.facts).toMatchObject({ gitlab: 'gitlab.example', proxies: ['HTTPS_PROXY'] });
    for (const text of [stdout, JSON.stringify(found)]) expect(text).not.toMatch(/planted|bWU6/);
  });
});

describe('without a daemon', () => {
  test('says where none is, why there, and ends as a save does', async () => {
    const env = { DOCKER_HOST: 'unix:///nowhere/docker.sock' };
    const found = await report([], env);
    expect(found).toMatchObject({ status: 'fail', exitCode: 3 });
    expect(find(found, 'daemon')).toMatchObject({
      status: 'fail',
      code: 'UNREACHABLE',
      message: expect.stringMatching(/there is no such socket; the address comes from DOCKER_HOST$/),
      hint: expect.stringContaining('DOCKER_HOST'),
    });
    const saved = await drayage(['save', 'x'], { cwd: home, env: { HOME: home, ...env } });
    expect(saved.code).toBe(3);
  });

  test('passes if the save reads an archive', async () => {
    const found = await report(['--from', fixturePath('docker-28-graph.tar')], { DOCKER_HOST: 'unix:///no' });
    expect(found.exitCode).toBe(0);
    expect(find(found, 'images')?.facts).toMatchObject({ images: [{ layers: expect.any(Number) }, {}, {}] });
  });
});

test('no permission on the socket is said, and who has it', async () => {
  const fake = await FakeDaemon.start();
  await chmod(fake.host.slice('unix://'.length), 0);
  // Loads everything that a connection needs while it can be read.
  await checkDaemon(input({ host: 'unix:///nowhere' }));
  expect(await asNobody(() => checkDaemon(input({ host: fake.host })))).toMatchObject({
    status: 'fail',
    code: 'UNREACHABLE',
    message: expect.stringContaining('permission denied'),
    hint: expect.stringContaining('group docker'),
  });
});

test('missing certificates are named, with the folder and what chose the address', async () => {
  const env = { DOCKER_HOST: 'tcp://127.0.0.1:2376', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: home };
  const found = await report([], env);
  expect(found.exitCode).toBe(4);
  expect(find(found, 'daemon')).toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining(`not in ${home}`),
    facts: { tls: { certPath: home, verify: true }, because: { by: 'variable', name: 'DOCKER_HOST' } },
  });
});

describe('Node', () => {
  test.each(['18.20.8', '20.18.3', '16.0.0'])('%s is too old', async (version) => {
    expect(await checkNode(version)).toMatchObject({
      status: 'fail',
      code: 'UNSUPPORTED',
      message: expect.stringContaining(`Node ${version} is too old`),
      facts: { version, minimum: MINIMUM_NODE },
    });
  });

  test.each(['20.19.0', '22.1.0', '26.0.0'])('%s will do', async (version) => {
    expect(await checkNode(version)).toMatchObject({ status: 'ok' });
  });

  test('has one minimum', async () => {
    const { engines } = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8'));
    expect(engines.node).toBe(`>=${MINIMUM_NODE}`);
  });
});

/** An archive of an image with 2 MB that no codec makes smaller. */
async function archive(): Promise<string> {
  const layer = tar(entry('noise', randomBytes(2_000_000)));
  const config = imageConfig([layer]);
  const manifest = json([{ Config: 'config.json', RepoTags: ['app:1'], Layers: ['0.tar'] }]);
  const path = join(home, 'app.tar');
  const entries = [
    entry('0.tar', layer),
    entry('config.json', config),
    entry('manifest.json', manifest),
    END,
  ];
  await writeFile(path, Buffer.concat(entries));
  return path;
}

/** A GitLab that tells limits, in MiB, by path. */
async function gitlab(limits: Record<string, unknown>): Promise<FakeGitLab> {
  const fake = await FakeGitLab.start();
  fake.faults.api = ({ url = '' }, response) => {
    const answer = limits[url.replace('/api/v4/', '')];
    response.writeHead(answer === undefined ? 403 : 200).end(JSON.stringify(answer ?? {}));
  };
  return fake;
}

const job = (fake: FakeGitLab): Record<string, string> => ({
  ...gitlabJob('7', 'build'),
  CI_API_V4_URL: fake.url,
  CI_JOB_TOKEN: JOB_TOKEN,
  DRAYAGE_GITLAB_TOKEN: TOKEN,
});

describe('the limit of artifacts', () => {
  test('below the image is said, though a save succeeds', async () => {
    const fake = await gitlab({ 'projects/12': { max_artifacts_size: 1 } });
    const found = await report(['--from', await archive()], job(fake));
    expect(found).toMatchObject({ status: 'warn', exitCode: 0 });
    expect(find(found, 'limit')).toMatchObject({
      status: 'warn',
      message: expect.stringMatching(
        /limited to 1\.0 MB \(set by the project\), and the layout takes 2\.0 MB/,
      ),
      hint: expect.stringContaining('--thin'),
      facts: { limit: 1024 ** 2, setBy: 'project' },
    });
    expect(fake.seen.map(({ tokens }) => tokens)).toEqual([['private-token']]);
  });

  test('is that of GitLab by default, where the API does not tell', async () => {
    const found = await report(['--from', await archive()], job(await gitlab({})));
    expect(find(found, 'limit')).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('does not show the real one to this token'),
      facts: { limit: 100 * 1024 ** 2, setBy: 'default' },
    });
  });

  test('of --max-size ends as the save does, and leaves nothing', async () => {
    const args = ['--from', await archive(), '--max-size', '1MB'];
    const found = await report(args);
    expect(found).toMatchObject({ status: 'fail', exitCode: 6 });
    expect(find(found, 'images')).toMatchObject({
      code: 'LIMIT',
      message: expect.stringContaining('2.0 MB'),
    });
    const saved = await drayage(['save', ...args], { cwd: home, env: { HOME: home } });
    expect(saved.code).toBe(6);
    expect(await readdir(home)).toEqual(['app.tar']);
  });
});

describe('the cache', () => {
  test('of somebody else is not trusted, and a save works all the same', async () => {
    const folder = join(home, 'cache');
    await mkdir(folder);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) await chown(folder, NOBODY, NOBODY);
    const owner = isRoot ? NOBODY : process.geteuid?.();
    const found = await checkCache(input({ cache: folder }), 4711);
    expect(found).toMatchObject({
      status: 'warn',
      code: 'UNSAFE',
      message: `the cache ${folder} belongs to the user ${owner}, not to this one (4711)`,
      hint: expect.stringContaining('--cache'),
    });
    const opening = openCache({ cache: folder }, contextOf(), 4711);
    await expect(opening).rejects.toMatchObject({ code: 'UNSAFE', facts: { path: folder } });
    const env = { CI_PROJECT_DIR: folder };
    await using _ = await openCache({ cache: folder }, contextOf(env), 4711);
    expect(await checkCache(input({ cache: folder }, env), 4711)).toMatchObject({ status: 'ok' });
    expect(await checkCache(input({ cache: folder }), owner)).toMatchObject({ status: 'ok' });
  });
});

describe('a save would', () => {
  test.each([
    ['be refused for its options', ['--max-size', 'much'], 2, 'request'],
    ['not find its file', ['--iidfile', 'none'], 4, 'request'],
    ['not sign outside a job', ['--sign', '--key', 'k'], 2, 'signing'],
    ['not write into such a folder', ['-o', '.'], 2, 'layout'],
  ])('%s', async (_, args, exitCode, name) => {
    await writeFile(join(home, 'file'), '');
    const fake = await FakeDaemon.start();
    const found = await report(['--host', fake.host, ...args]);
    expect(found.exitCode).toBe(exitCode);
    expect(found.checks.filter(({ status }) => status === 'fail').map((check) => check.name)).toEqual([name]);
    const saved = await drayage(['save', 'x', '--host', fake.host, ...args], {
      cwd: home,
      env: { HOME: home },
    });
    expect(saved.code).toBe(exitCode);
  });

  test('not find its image', async () => {
    const fake = await FakeDaemon.start();
    const found = await report(['--host', fake.host, 'none']);
    expect(found.exitCode).toBe(4);
    expect(find(found, 'images')).toMatchObject({ status: 'fail', code: 'NOT_FOUND' });
  });

  test('omit nothing, and why', async () => {
    const { host } = await FakeRegistry.start();
    const found = await report([
      '--from',
      fixturePath('docker-28-graph.tar'),
      '--thin',
      'always',
      '--base',
      `${host}/none:1`,
    ]);
    expect(find(found, 'thin')).toMatchObject({
      status: 'warn',
      message: 'no layer is omitted',
      hint: expect.stringContaining(`the base ${host}/none:1 cannot be used`),
    });
  });

  test('end at a job that is incomplete', async () => {
    const { CI_PIPELINE_ID: _, ...env } = gitlabJob('7', 'build');
    const fake = await FakeDaemon.start();
    const found = await report(['--host', fake.host], env);
    expect(find(found, 'job')).toMatchObject({
      status: 'fail',
      code: 'USAGE',
      message: expect.stringContaining('CI_PIPELINE_ID is not set'),
    });
  });
});

import { generateKeyPairSync } from 'node:crypto';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { FetchResult, SaveResult } from '../../src/index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { once } from '../../src/stream/tap.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo } from '../docker/cargo.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeGitLab, JOB_TOKEN } from '../support/fake-gitlab.ts';
import { gitlabJob, SIGNING_JOB } from '../support/gitlab-job.ts';
import { listFiles } from '../support/list-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { zip } from '../support/zip-bytes.ts';

/** One image for each pipeline: every one changes the last layer, or adds one. */
const RUNS = [
  makeCargo({ layers: ['base', 'one'] }),
  makeCargo({ layers: ['base', 'one', 'two'] }),
  makeCargo({ layers: ['base', 'one', 'two', 'three'] }),
];
const FIRST = makeCargo({ layers: ['base', 'one'] });
const FAR = '2999-01-01T00:00:00.000Z';

let cwd: string;
let gitlab: FakeGitLab;
const jobs: NonNullable<FakeGitLab['options']['jobs']> = [];

beforeEach(async () => {
  cwd = await temporaryFolder();
  jobs.splice(0);
  gitlab = await FakeGitLab.start({ jobs, describes: true });
});

/** The environment of a job; its server is the fake one. */
const envOf = (id: string): Record<string, string> => ({
  ...gitlabJob(id, 'build'),
  CI_PIPELINE_ID: id,
  CI_DEFAULT_BRANCH: 'main',
  CI_API_V4_URL: gitlab.url,
  CI_JOB_TOKEN: JOB_TOKEN,
});

const run = async (id: string, ...args: string[]): Promise<CliResult> =>
  drayage(args, { cwd, env: envOf(id) });

/** The folder of an image that a job has built. */
async function built({ root, source }: TestCargo, path = 'built'): Promise<void> {
  await rm(join(cwd, path), { recursive: true, force: true });
  const layout = await Layout.create(join(cwd, path));
  await layout.update(async (content) => {
    for (const [digest, bytes] of source.blobs)
      await content.put({ mediaType: 'application/octet-stream', digest, size: bytes.length }, once(bytes));
    content.add(root, ['app:1'], {});
  });
}

/** A job that builds an image, saves it, and whose artifact is kept. */
async function pipeline(
  id: string,
  cargo: TestCargo,
  options: string[] = ['--base-job', 'build'],
  expireAt: string = FAR,
): Promise<SaveResult & { stderr: string }> {
  await built(cargo);
  const result = await run(id, 'save', '--from', 'built', '--json', ...options);
  expect(result).toMatchObject({ code: 0 });
  await ship(id, expireAt);
  return { ...(JSON.parse(result.stdout) as SaveResult), stderr: result.stderr };
}

async function ship(id: string, expireAt?: string): Promise<void> {
  const files = (await listFiles(join(cwd, '.drayage', id))).filter(
    ({ path }) => !path.startsWith('.drayage-tmp'),
  );
  const members = files.map(async ({ path }) => ({
    path: `.drayage/${id}/${path}`,
    bytes: await readFile(join(cwd, '.drayage', id, path)),
  }));
  jobs.unshift({ id: Number(id), name: 'build', archive: zip(await Promise.all(members)), expireAt });
  await rm(join(cwd, '.drayage'), { recursive: true });
}

const statuses = ({ images }: SaveResult): string[] | undefined =>
  images[0]?.layers.map(({ status }) => status);
const archive = async (id: string, ...args: string[]): Promise<CliResult> =>
  run(id, 'load', '--job', 'build', '--to', 'docker-archive:app.tar', ...args);

describe('save --base-job', () => {
  test('omits what the artifact of the latest pipeline of the default branch has, and says so', async () => {
    await pipeline('1', FIRST);
    const second = await pipeline('2', RUNS[1] ?? expect.fail());
    expect(statuses(second)).toEqual(['omitted', 'omitted', 'written']);
    expect(second.stderr).toMatch(
      /app:1: 2 of 3 layers \(.*\) are omitted: job 1 of project 12 has them until 2999-01-01/,
    );
  });

  test('reads only documents of that artifact', async () => {
    await pipeline('1', FIRST);
    gitlab.seen.splice(0);
    await pipeline('2', RUNS[1] ?? expect.fail());
    const blobs = FIRST.layers.reduce((sum, { size }) => sum + size, 0);
    expect(blobs).toBeGreaterThan(0);
    expect(gitlab.sent).toBeLessThan(16 * 1024);
  });

  test('tries several branches in order, and passes over one that has no such job', async () => {
    await pipeline('1', FIRST);
    gitlab.faults.api = ({ url }, response) => {
      if (!url?.includes('/artifacts/feature/')) return 'pass';
      response.writeHead(404).end('{}');
      return undefined;
    };
    const second = await pipeline('2', RUNS[1] ?? expect.fail(), [
      '--base-job=build',
      '--ref=feature',
      '--ref=main',
    ]);
    expect(statuses(second)).toEqual(['omitted', 'omitted', 'written']);
    expect(second.stderr).toContain('base job build of feature is not used');
  });

  test('omits a layer above one that changed', async () => {
    await pipeline('1', RUNS[1] ?? expect.fail());
    const changed = makeCargo({ layers: ['base', 'other', 'two'] });
    expect(statuses(await pipeline('2', changed))).toEqual(['omitted', 'written', 'omitted']);
    expect(await archive('2')).toMatchObject({ code: 0 });
    expect(await run('2', 'verify', '--job', 'build')).toMatchObject({ code: 2 });
  });

  test('does not use one that expires before the layout is needed no more', async () => {
    const soon = new Date(Date.now() + 3600 * 1000).toISOString();
    await pipeline('1', FIRST, ['--base-job', 'build'], soon);
    const second = await pipeline('2', RUNS[1] ?? expect.fail());
    expect(statuses(second)).toEqual(['written', 'written', 'written']);
    expect(second.stderr).toContain(`is not used: its artifact expires at ${soon}`);
    jobs.shift();
    const again = await pipeline('3', RUNS[1] ?? expect.fail(), ['--base-job=build', '--keep=5m']);
    expect(statuses(again)).toEqual(['omitted', 'omitted', 'written']);
  });

  test('says that nobody tells until when it is kept', async () => {
    gitlab.options.describes = false;
    await pipeline('1', FIRST);
    const { stderr } = await pipeline('2', RUNS[1] ?? expect.fail());
    expect(stderr).toContain('GitLab does not say until when its artifact is kept');
  });

  test.each([
    [['--ref', 'main'], '--ref has no meaning without a base job'],
    [['--base-job', 'build', '--pipeline', 'x'], 'not a pipeline ID: x'],
    [['--base-job', 'build', '--base-job', 'none'], '--base-job none beside another one'],
    [['--base-job', 'build', '--keep', 'long'], 'not a time: "long"'],
  ])('refuses %j', async (args, message) => {
    await built(FIRST);
    const { code, stderr } = await run('1', 'save', '--from', 'built', ...args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(await readdir(cwd)).toEqual(['built']);
  });
});

test('pipelines in a row record each layer where it is, never two hops away', async () => {
  for (const [i, cargo] of RUNS.entries()) await pipeline(String(i + 1), cargo);
  const { code, stderr } = await archive('3');
  expect(stderr).toContain('omitted layers are read from its base job 1 of project 12');
  expect(stderr).toContain('omitted layers are read from its base job 2 of project 12');
  expect(code).toBe(0);
  const back = await drayageJson<SaveResult>(['save', '--from', 'app.tar', '-o', 'back'], { cwd });
  expect(back.images[0]?.id).toBe(RUNS[2]?.configDigest);
});

describe('a layout whose base is a job', () => {
  beforeEach(async () => {
    await pipeline('1', FIRST);
    await pipeline('2', RUNS[1] ?? expect.fail());
  });

  test.each([404, 410])('ends with 3 and names the job where its artifact is gone (%i)', async (status) => {
    gitlab.faults.api = ({ url }, response) => {
      if (!url?.includes('/jobs/1/')) return 'pass';
      response.writeHead(status).end('{}');
      return undefined;
    };
    const { code, stderr } = await archive('2');
    expect(code).toBe(3);
    expect(stderr).toContain('cannot be read from its base job 1 of project 12');
    expect(stderr).toContain('--base-job none');
    expect(await readdir(cwd)).not.toContain('app.tar');
  });

  test('is completed by fetch, as long as the base is there', async () => {
    const fetched = await drayageJson<FetchResult>(
      ['fetch', '--job', 'build', '--complete', '--out', 'whole'],
      { cwd, env: envOf('2') },
    );
    expect(fetched.images).toHaveLength(1);
    jobs.splice(0);
    expect(await run('2', 'verify', 'whole')).toMatchObject({ code: 0 });
    expect(await run('2', 'load', 'whole', '--to', 'docker-archive:app.tar')).toMatchObject({ code: 0 });
  });

  test('asks no other server, whatever a layout says', async () => {
    const { code, stderr } = await drayage(['load', '--job', 'build', '--to', 'docker-archive:app.tar'], {
      cwd,
      env: { ...envOf('2'), CI_API_V4_URL: gitlab.url.replace('127.0.0.1', 'localhost') },
    });
    expect(stderr).toContain('which is not the GitLab of this job');
    expect(code).toBe(5);
  });

  test('lies of a base about its layers reach no archive', async () => {
    const lie = makeCargo({ layers: ['evil', 'one'] });
    await built(lie);
    expect(await run('9', 'save', '--from', 'built', '-q')).toMatchObject({ code: 0 });
    const index = jobs.find(({ id }) => id === 1) ?? expect.fail();
    const before = index.archive ?? expect.fail();
    // Another layer under the digest of the first one.
    const files = (await listFiles(join(cwd, '.drayage/9'))).map(({ path }) => path);
    expect(files).not.toEqual([]);
    const [layer] = FIRST.layers;
    const evil = lie.source.blobs.get(lie.layers[0]?.digest ?? expect.fail()) ?? expect.fail();
    index.archive = zip([
      { path: '.drayage/1/oci-layout', bytes: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
      { path: '.drayage/1/index.json', bytes: Buffer.from('{"schemaVersion":2,"manifests":[]}') },
      { path: `.drayage/1/blobs/sha256/${layer?.digest.slice(7)}`, bytes: evil },
    ]);
    expect(before).not.toEqual(index.archive);
    const { code } = await archive('2');
    expect(code).toBe(4);
    expect(await readdir(cwd)).not.toContain('app.tar');
  });

  test('is signed without reading what the base states in the same save; sign alone reads it', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(join(cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const env = { ...SIGNING_JOB, ...envOf('3') };
    await built(RUNS[1] ?? expect.fail());
    const args = ['save', '--from', 'built', '--base-job', 'build', '-q', '--pipeline', '1'];
    gitlab.seen.splice(0);
    const read = (): number => gitlab.seen.filter(({ range }) => range !== undefined).length;
    const without = await drayage([...args, '-o', 'plain'], { cwd, env });
    expect(without).toMatchObject({ code: 0 });
    const documents = read();
    const signed = await drayage([...args, '-o', 'signed', '--sign', '--key', 'key.pem'], { cwd, env });
    expect(signed).toMatchObject({ code: 0 });
    expect(read()).toBe(2 * documents);
    expect(await drayage(['sign', 'plain', '--key', 'key.pem'], { cwd, env })).toMatchObject({ code: 0 });
    expect(read()).toBeGreaterThan(2 * documents);
  });
});

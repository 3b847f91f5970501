import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { FetchResult, SaveResult } from '../../src/index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { once } from '../../src/stream/tap.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo } from '../docker/cargo.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeGitLab, JOB_TOKEN, TOKEN } from '../support/fake-gitlab.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
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
  gitlab = await FakeGitLab.start({ jobs });
});

/** The environment of a job; its server is the fake one. */
const envOf = (id: string): Record<string, string> => ({
  ...gitlabJob(id, 'build'),
  CI_PIPELINE_ID: id,
  CI_DEFAULT_BRANCH: 'main',
  CI_API_V4_URL: gitlab.url,
  CI_JOB_TOKEN: JOB_TOKEN,
});

const run = async (id: string, ...args: string[]): Promise<CliResult> => drayage(args, { cwd, env: envOf(id) });

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
  const files = (await listFiles(join(cwd, '.drayage', id))).filter(({ path }) => !path.startsWith('.drayage-tmp'));
  const members = files.map(async ({ path }) => ({
    path: `.drayage/${id}/${path}`,
    bytes: await readFile(join(cwd, '.drayage', id, path)),
  }));
  jobs.unshift({ id: Number(id), name: 'build', archive: zip(await Promise.all(members)), expireAt });
  await rm(join(cwd, '.drayage'), { recursive: true });
}

const statuses = ({ images }: SaveResult): string[] | undefined => images[0]?.layers.map(({ status }) => status);
const archive = async (id: string, ...args: string[]): Promise<CliResult> =>
  run(id, 'load', '--job', 'build', '--to', 'docker-archive:app.tar', ...args);

describe('save --base-job', () => {
  test('omits what the artifact of the latest pipeline of the default branch has, and says so', async () => {
    await pipeline('1', FIRST);
    const second = await pipeline('2', RUNS[1] ?? expect.fail());
    expect(statuses(second)).toEqual(['omitted', 'omitted', 'written']);
    expect(second.stderr).toMatch(/app:1: 2 of 3 layers \(.*\) are omitted: job 1 of 12 has them until 2999-01-01/);
  });

  test('reads only documents of that artifact', async () => {
    await pipeline('1', FIRST);
    gitlab.seen.splice(0);
    await pipeline('2', RUNS[1] ?? expect.fail());
    const blobs = FIRST.layers.reduce((sum, { size }) => sum + size, 0);
    expect(blobs).toBeGreaterThan(0);
    expect(gitlab.sent).toBeLessThan(16 * 1024);
  });
});

test('five pipelines in a row record each layer where it is, never two hops away', async () => {
  for (const [i, cargo] of RUNS.entries()) await pipeline(String(i + 1), cargo);
  const { code, stderr } = await archive('3');
  expect(stderr).toContain('omitted layers are read from its base job 1 of 12');
  expect(stderr).toContain('omitted layers are read from its base job 2 of 12');
  expect(code).toBe(0);
  const back = await drayageJson<SaveResult>(['save', '--from', 'app.tar', '-o', 'back'], { cwd });
  expect(back.images[0]?.id).toBe(RUNS[2]?.configDigest);
});

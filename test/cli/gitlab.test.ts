import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CliOptions } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { listFiles } from '../support/list-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEMO = fixturePath('demo.tar');
const BUILD = gitlabJob('123', 'build');
const TEST = gitlabJob('124', 'test');

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

const run = (args: string[], env: CliOptions['env'] = {}) => drayage(args, { cwd, env });
const save = async (env: CliOptions['env'] = BUILD, ...args: string[]) =>
  run(['save', '--from', DEMO, '-q', ...args], env);
const load = async (env: CliOptions['env'] = TEST, ...args: string[]) =>
  run(['load', '--to', 'docker-archive:out.tar', ...args], env);
const report = async (): Promise<string[]> =>
  (await readFile(join(cwd, '.drayage/report.env'), 'utf8')).trimEnd().split('\n');

/** The job that BUILD is, with what only it knows. */
const OWN = { ...BUILD, CI_JOB_TOKEN: 'token-123' };

describe('the reports of a job', () => {
  test('hold variables of every image and links to the layout, beside it', async () => {
    const { stdout } = await save();
    const refs = stdout.trimEnd().split('\n');
    const lines = await report();
    expect(lines.slice(0, 2)).toEqual([
      `DRAYAGE_DRAYAGE_DEMO_API_REF=${refs[0]}`,
      `DRAYAGE_DRAYAGE_DEMO_WORKER_REF=${refs[1]}`,
    ]);
    expect(lines).toHaveLength(6);
    const links: unknown = JSON.parse(await readFile(join(cwd, '.drayage/annotations.json'), 'utf8'));
    expect(JSON.stringify(links)).toContain(`${BUILD.CI_JOB_URL}/artifacts/browse/.drayage/123/`);
  });

  test('hold the images of earlier saves of the job, but of no other job', async () => {
    await save(BUILD, 'drayage-demo/api:1.0');
    await save(BUILD, 'drayage-demo/worker:1.0');
    expect(await report()).toHaveLength(6);
    await save({ ...BUILD, CI_JOB_ID: '125' }, 'drayage-demo/worker:1.0');
    expect(await report()).toHaveLength(3);
  });

  test('hold what was asked for', async () => {
    await save(BUILD, 'drayage-demo/api:1.0', '--env', 'DRAYAGE_IMAGE', '--env', 'IMAGE_DIGEST');
    expect(await report()).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^DRAYAGE_IMAGE=drayage-demo\/api:pipeline-4711-/),
        expect.stringMatching(/^IMAGE_DIGEST=sha256:/),
      ]),
    );
  });

  test('keep what earlier saves of the job asked for', async () => {
    await save(OWN, 'drayage-demo/api:1.0', '--env', 'API', '--env', 'API_ID', '--env', 'KEY');
    await save(OWN, 'drayage-demo/worker:1.0', '--env', 'KEY=drayage-demo/worker:1.0');
    const lines = await report();
    expect(lines.find((line) => line.startsWith('API='))).toMatch(/^API=drayage-demo\/api:pipeline-4711-/);
    expect(lines.find((line) => line.startsWith('API_ID='))).toMatch(/^API_ID=sha256:/);
    expect(lines.filter((line) => line.startsWith('KEY='))).toEqual([
      expect.stringMatching(/^KEY=drayage-demo\/worker:/),
    ]);
    expect(lines).toHaveLength(9);
  });

  test.each<[string, CliOptions['env'], (report: string) => string]>([
    ['another job with this secret', { ...OWN, CI_JOB_ID: '122' }, (text) => text],
    ['a job with another secret', { ...OWN, CI_JOB_TOKEN: 'token-122' }, (text) => text],
    ['a job without a secret', BUILD, (text) => text],
    ['this job, and was changed', OWN, (text) => text.replace('API=', 'PATH=')],
    ['this job, and got a line more', OWN, (text) => text + text.replace('API=', 'PATH=')],
  ])('keep no variable of a report that was written by %s', async (_, writer, change) => {
    await save(writer, 'drayage-demo/api:1.0', '--env', 'API');
    const file = join(cwd, '.drayage/report.env');
    const seal = await readFile(join(cwd, '.drayage/report.seal')).catch(() => undefined);
    const planted = change(await readFile(file, 'utf8'));
    expect(planted).toMatch(/^(?:API|PATH)=/m);
    await save(OWN, 'drayage-demo/api:1.0');
    await writeFile(file, planted);
    if (seal !== undefined) await writeFile(join(cwd, '.drayage/report.seal'), seal);
    await save(OWN, 'drayage-demo/worker:1.0');
    const keys = (await report()).map((line) => line.split('=')[0]);
    expect(keys.filter((key) => !key?.startsWith('DRAYAGE_'))).toEqual([]);
    expect(keys).toHaveLength(6);
  });

  test('hold no image that was in the folder before the job, whatever it states', async () => {
    await save(BUILD, 'drayage-demo/api:1.0');
    await save(OWN, 'drayage-demo/worker:1.0');
    expect(await report()).toEqual([
      expect.stringMatching(/^DRAYAGE_DRAYAGE_DEMO_WORKER_REF=/),
      expect.stringMatching(/_ID=/),
      expect.stringMatching(/_DIGEST=/),
    ]);
  });

  test.each([
    [['--env', 'KEY'], /KEY needs one image/],
    [['--env', 'KEY=nope:1'], /no image "nope:1" for a variable/],
  ])('that cannot be written stop the save before the layout changes: %j', async (args, message) => {
    const { code, stderr } = await save(BUILD, ...args);
    expect([code === 0, stderr]).toEqual([false, expect.stringMatching(message)]);
    expect(await listFiles(cwd)).toEqual([]);
    await save(BUILD, 'drayage-demo/api:1.0');
    const before = await listFiles(cwd);
    const second = await save(BUILD, 'drayage-demo/worker:1.0', ...args);
    expect([second.code === 0, second.stderr]).toEqual([false, expect.stringMatching(message)]);
    expect(await listFiles(cwd)).toEqual(before);
  });

  test('that cannot be written stop a merge before the layout changes', async () => {
    await run(['save', '--from', DEMO, '-o', 'a'], BUILD);
    const before = await listFiles(cwd);
    const { code } = await run(['merge', 'a', '-o', 'b', '--env', 'KEY'], BUILD);
    expect(code).toBe(2);
    expect(await listFiles(cwd)).toEqual(before);
  });

  test('of two images that would share a variable stop the save before the layout changes', async () => {
    await run(['load', `docker-archive:${DEMO}`, '-i', 'drayage-demo/api:1.0', '--to', 'oci:m:team/a.b:1']);
    await run([
      'load',
      `docker-archive:${DEMO}`,
      '-i',
      'drayage-demo/worker:1.0',
      '--to',
      'oci:m:team/a-b:1',
    ]);
    const { code, stderr } = await run(['save', '--from', 'm'], BUILD);
    expect([code, stderr]).toEqual([2, expect.stringContaining('would both be DRAYAGE_TEAM_A_B_REF')]);
    expect((await listFiles(cwd)).filter(({ path }) => path.startsWith('.drayage'))).toEqual([]);
  });

  test('are not written outside a job', async () => {
    await save({});
    const files = (await listFiles(cwd)).map(({ path }) => path);
    expect(files.filter((path) => !path.startsWith('.drayage/images/'))).toEqual([]);
  });
});

describe('load in a job', () => {
  test('takes the images of its pipeline', async () => {
    await save();
    expect(await load()).toMatchObject({ code: 0 });
  });

  test('refuses those of another one, and says what would accept them', async () => {
    await save({ ...BUILD, CI_PIPELINE_ID: '4710' });
    const { code, stderr } = await load();
    expect(code).toBe(5);
    expect(stderr).toContain('pipeline is 4710, not 4711');
    expect(stderr).toContain('--expect pipeline=4710');
    expect(await load(TEST, '--expect', 'pipeline=4710')).toMatchObject({ code: 0 });
    expect(await load({ ...TEST, DRAYAGE_EXPECT: 'pipeline=4710' })).toMatchObject({ code: 0 });
  });

  test('takes several expectations from one variable', async () => {
    await save({ ...BUILD, CI_PIPELINE_ID: '4710', CI_JOB_NAME: 'build it', CI_COMMIT_SHA: 'b'.repeat(40) });
    const expectation = `pipeline=4710 job=build it commit=${'b'.repeat(40)}`;
    expect(await load({ ...TEST, DRAYAGE_EXPECT: expectation })).toMatchObject({ code: 0 });
    expect(await load({ ...TEST, DRAYAGE_EXPECT: `${expectation}c` })).toMatchObject({ code: 5 });
  });

  test('leaves out, with a line, what other pipelines left in the workspace', async () => {
    await save({ ...BUILD, CI_PIPELINE_ID: '4710', CI_JOB_ID: '100' });
    await save();
    const { code, stderr } = await load();
    expect(code).toBe(0);
    expect(stderr).toContain('is skipped: pipeline is 4710, not 4711');
  });

  test('takes the later run of a job that was retried', async () => {
    await save({ ...BUILD, CI_JOB_ID: '99' });
    await save({ ...BUILD, CI_JOB_ID: '100' });
    const { code, stderr } = await load();
    expect(code).toBe(0);
    expect(stderr).toContain('of job 99 is skipped: the job ran again as 100');
  });

  test('takes images that do not say where they are from only when it is told to', async () => {
    await save({});
    expect(await load()).toMatchObject({ code: 5 });
    expect(await load(TEST, '--expect', 'none')).toMatchObject({ code: 0 });
  });

  test('copies into another layout under the same expectations', async () => {
    await save({ ...BUILD, CI_PIPELINE_ID: '4710' });
    expect(await run(['load', '--to', 'oci:copy'], TEST)).toMatchObject({ code: 5 });
    expect(await run(['load', '--to', 'oci:copy', '--expect', 'pipeline=any'], TEST)).toMatchObject({
      code: 0,
    });
  });
});

test('load outside a job expects nothing, unless it is told to', async () => {
  await save();
  expect(await load({})).toMatchObject({ code: 0 });
  expect(await load({}, '--expect', 'pipeline=1')).toMatchObject({ code: 5 });
  expect(await load({}, '--expect', 'pipeline')).toMatchObject({ code: 2 });
});

test('a layout over --max-size is refused with the largest layers, and nothing is saved', async () => {
  const { code, stderr } = await save(BUILD, '--max-size', '2kB');
  expect(code).toBe(6);
  expect(stderr).toContain('the largest layers are ');
  expect((await listFiles(cwd)).map(({ path }) => path)).toEqual([]);
});

describe('a job whose variables are not all there', () => {
  const { CI_PROJECT_URL: _, ...INCOMPLETE } = TEST;
  const MALFORMED = { ...TEST, CI_COMMIT_SHA: 'main' };

  test.each([
    ['save', '--from', DEMO],
    ['load', '--to', 'docker-archive:out.tar'],
    ['load', '--job', 'build', '--to', 'docker-archive:out.tar'],
    ['save', '--from', DEMO, '--base-job', 'build'],
    ['fetch', '--job', 'build'],
    ['fetch', '--complete'],
    ['sign', '.drayage/123', '--keyless'],
    ['merge', '-o', 'merged'],
    ['promote', 'drayage-demo/api:1.0', 'registry.example/app:1'],
  ])('does not %s as if it were outside of one', async (...args) => {
    await save();
    const before = await listFiles(cwd);
    for (const [env, name] of [
      [INCOMPLETE, 'CI_PROJECT_URL is not set'],
      [MALFORMED, 'CI_COMMIT_SHA is malformed'],
    ] as const) {
      const { code, stderr } = await run(args, env);
      expect([code, stderr]).toEqual([2, expect.stringContaining(name)]);
      expect(stderr).toContain('GITLAB_CI=');
    }
    expect(await listFiles(cwd)).toEqual(before);
    // The way out that the hint names: nothing is expected then.
    if (args[1] === '--to') expect((await run(args, { ...INCOMPLETE, GITLAB_CI: '' })).code).toBe(0);
  });

  test.each<[string[], string]>([
    [['unload'], 'CI_JOB_ID'],
    [['unload', '--pipeline'], 'CI_PIPELINE_ID'],
  ])('needs only its ID to %j', async (args, name) => {
    const { code, stderr } = await run(args, { ...TEST, DOCKER_HOST: 'unix:///nowhere', [name]: 'abc' });
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${name} is malformed: "abc"`)]);
    expect((await run(args, { ...INCOMPLETE, DOCKER_HOST: 'unix:///nowhere' })).code).toBe(3);
  });

  test.each([['inspect'], ['verify'], ['diff', '.drayage/123', '.drayage/123'], ['prune', '.drayage/123']])(
    'can %s, which expects nothing',
    async (...args) => {
      await save();
      expect(await run(args, INCOMPLETE)).toMatchObject({ code: 0, stderr: '' });
    },
  );
});

import { chmod, chown, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { sampleImage } from '../../src/testing/sample-images.ts';
import { imageFiles, zipped } from '../gitlab/artifacts.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { FakeGitLab, JOB_TOKEN } from '../support/fake-gitlab.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { zip } from '../support/zip-bytes.ts';

const IMAGE = sampleImage(['base', 'app']);
const USER = 1000;
const OTHER = 1001;
const NOT_USED = 'the cache is not used: cannot ';

let cwd: string;
let env: Record<string, string>;
let gitlab: FakeGitLab;
beforeEach(async () => {
  cwd = await temporaryFolder();
  await chmod(cwd, 0o777);
  await mkdir(join(cwd, 'cache'));
  const archive = zip(zipped(imageFiles(IMAGE, 'app:1')));
  gitlab = await FakeGitLab.start({ jobs: [{ id: 123, name: 'build', archive }] });
  env = { ...gitlabJob('124', 'test'), CI_API_V4_URL: gitlab.url, CI_JOB_TOKEN: JOB_TOKEN };
});

/** Fetches the image into a new layout, beside a cache, and counts what GitLab sent. */
async function fetchInto(out: string, uid: number): Promise<CliResult & { sent: number }> {
  const before = gitlab.sent;
  const args = ['fetch', '--job', 'build', '--cache', 'cache', '--out', out];
  const result = await drayage(args, { cwd, env: { ...env, CI_PROJECT_DIR: cwd, HOME: '' }, uid });
  return { ...result, sent: gitlab.sent - before };
}

/** Other users need root. */
describe.runIf(process.geteuid?.() === 0)('a cache of root, on the volume of a runner', () => {
  test('that all may write to keeps blobs for a job that is not root', async () => {
    await chmod(join(cwd, 'cache'), 0o777);
    const first = await fetchInto('one', USER);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stderr).not.toContain(NOT_USED);
    expect(await readdir(join(cwd, 'cache/project-12'))).toContain('blobs');
    const second = await fetchInto('two', USER);
    expect(second).toMatchObject({ code: 0 });
    expect(second.sent).toBeLessThan(first.sent);
  });

  test('in which only root may make folders is as if it were absent', async () => {
    await chmod(join(cwd, 'cache'), 0o755);
    const { code, stderr } = await fetchInto('one', USER);
    expect([code, stderr]).toEqual([0, expect.stringContaining(NOT_USED)]);
    expect(await readdir(join(cwd, 'cache'))).toEqual([]);
    const doctor = await drayage(['doctor', '--cache', 'cache'], {
      cwd,
      env: { ...env, HOME: '' },
      uid: USER,
    });
    expect(doctor.stdout).toMatch(/warn +cache +cache is not writable/);
  });

  test('that it may only read is read, and a line says that nothing is added', async () => {
    await chmod(join(cwd, 'cache'), 0o777);
    const first = await fetchInto('one', 0);
    await chmodBelow(join(cwd, 'cache'));
    const second = await fetchInto('two', USER);
    expect([second.code, second.stderr]).toEqual([
      0,
      expect.stringMatching(/the cache is only read: \S+project-12 is not writable/),
    ]);
    expect(second.sent).toBeLessThan(first.sent);
  });

  test('that a job of root has filled is as if it were absent', async () => {
    await chmod(join(cwd, 'cache'), 0o777);
    expect(await fetchInto('one', 0)).toMatchObject({ code: 0 });
    const { code, stderr } = await fetchInto('two', USER);
    expect([code, stderr]).toEqual([0, expect.stringContaining(NOT_USED)]);
  });

  test('that a job of another user has filled is refused', async () => {
    await chown(join(cwd, 'cache'), OTHER, OTHER);
    expect(await fetchInto('one', OTHER)).toMatchObject({ code: 0 });
    const { code, stderr } = await fetchInto('two', USER);
    expect([code, stderr]).toEqual([2, expect.stringContaining('belongs to the user 1001')]);
  });
});

/** Lets all users read a folder, and root alone write to it. */
async function chmodBelow(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    await (entry.isDirectory() ? chmodBelow(path) : chmod(path, 0o644));
  }
}

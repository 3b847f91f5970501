import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SaveResult, UnloadResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import type { TestDaemon } from './support/daemons.ts';
import { DAEMON_KINDS, skipReason, startDaemon } from './support/daemons.ts';
import { runnableArchive } from './support/runnable-archive.ts';
import { gitlabJob } from '../support/gitlab-job.ts';

const JOBS = 20;
const PIPELINES = ['1', '2'];

/** The environment of a job on a runner whose jobs share a daemon. */
function gitlab(job: number | string, pipeline: string): Record<string, string> {
  return { ...gitlabJob(`${job}`, 'test'), CI_PIPELINE_ID: pipeline, CI_JOB_TOKEN: `token-${job}` };
}

let folder: string;
const layouts = new Map<string, SaveResult>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drayage-leases-'));
  for (const pipeline of PIPELINES) {
    const archive = runnableArchive('temp:latest', `of pipeline ${pipeline}\n`);
    const saved = await drayageJson<SaveResult>(['save', '--from', '-', '-o', `of-${pipeline}`], {
      cwd: folder,
      env: gitlab('1', pipeline),
      input: (async function* () {
        yield archive;
      })(),
    });
    layouts.set(pipeline, saved);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(DAEMON_KINDS)('jobs that share %s', (kind) => {
  const skip = skipReason(kind) !== undefined;
  let daemon: TestDaemon | undefined;
  const host = (): string[] => ['--host', daemon?.host ?? ''];
  const docker = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = (await daemon?.docker(args)) ?? { code: 1, stdout: '', stderr: '' };
    expect(`${code} ${stderr}`).toBe('0 ');
    return stdout;
  };
  /** What is in it, leases included. */
  const names = async (): Promise<string[]> =>
    (await docker('images', '--all', '--format', '{{.Repository}}:{{.Tag}}')).split('\n').filter(Boolean);
  const unload = (env: Record<string, string>, ...args: string[]): Promise<UnloadResult> =>
    drayageJson<UnloadResult>(['unload', ...host(), ...args], { cwd: folder, env });

  beforeAll(async () => {
    if (!skip) daemon = await startDaemon(kind);
  });
  afterAll(() => daemon?.stop());

  /** Loads, runs and unloads `temp`, as a job does; a job that is killed does not come to the last. */
  async function runJob(job: number, isKilled: boolean): Promise<string> {
    const pipeline = PIPELINES[job % PIPELINES.length] ?? '';
    const env = gitlab(job, pipeline);
    const loaded = await drayage(['load', `of-${pipeline}`, '-q', ...host()], { cwd: folder, env });
    if (loaded.code !== 0) return `job ${job}: ${loaded.stderr}`;
    const run = async () => daemon?.docker(['run', '--rm', '--network', 'none', loaded.stdout.trim()]);
    const first = await run();
    // With many at once, docker may end before it is attached to a container that ends at once: it says nothing then.
    const ran = first?.code === 0 && first.stdout === '' ? await run() : first;
    if (!isKilled) await unload(env);
    return ran?.stdout === `of pipeline ${pipeline}\n` ? 'ran' : `job ${job}: ${ran?.stdout}${ran?.stderr}`;
  }

  // Podman writes all names of an image as it has read them before: of two clients at a time one may lose what it has set.
  const atOnce = kind === 'podman' ? 1 : JOBS;

  test.skipIf(skip)(
    `20 of two pipelines, ${atOnce} at once, run their own image each, and after the sweep nothing is left`,
    async () => {
      const turn = pLimit(atOnce);
      const jobs = Array.from({ length: JOBS }, (_, i) => turn(() => runJob(i + 1, i === JOBS - 1)));
      expect(await Promise.all(jobs)).toEqual(Array.from({ length: JOBS }, () => 'ran'));
      const ref = layouts.get('1')?.images[0]?.ref ?? '';
      const left = await names();
      expect(left.filter((name) => !name.startsWith(`drayage-lease:${JOBS}-`))).toEqual([ref]);
      expect(await unload({}, '--older-than', '24h')).toEqual({ removed: [], kept: [] });
      expect(await unload({}, '--older-than', '0s')).toEqual({ removed: [ref], kept: [] });
      expect(await names()).toEqual([]);
      expect(await docker('ps', '--all', '--quiet')).toBe('');
    },
  );

  test.skipIf(skip)('an image that a stopped container was made of stays until that is gone', async () => {
    const env = gitlab(100, '1');
    const loaded = await drayage(['load', 'of-1', '-q', ...host()], { cwd: folder, env });
    const ref = loaded.stdout.trim();
    const before = await names();
    await docker('create', '--network', 'none', '--name', 'stopped', ref);
    const reason = 'the container stopped uses it';
    expect(await unload(env)).toEqual({ removed: [], kept: [{ ref, reason }] });
    expect((await names()).toSorted()).toEqual(before.toSorted());
    await docker('rm', 'stopped');
    expect(await unload(env)).toEqual({ removed: [ref], kept: [] });
    expect(await names()).toEqual([]);
  });

  test.skipIf(skip)('what is loaded outside a job has no lease, and no job takes it away', async () => {
    const ref = layouts.get('1')?.images[0]?.ref ?? '';
    await drayage(['load', 'of-1', ...host()], { cwd: folder });
    const before = (await names()).toSorted();
    expect(before).toEqual([ref, 'temp:latest'].toSorted());
    const env = gitlab(101, '1');
    await drayage(['load', 'of-1', ...host(), '--tag', 'mine:1'], { cwd: folder, env });
    expect((await names()).filter((name) => name.startsWith('drayage-lease:101-'))).toHaveLength(2);
    const { removed, kept } = await unload(env);
    expect(removed).toEqual(['mine:1']);
    expect(kept).toEqual([{ ref, reason: 'it was there before it was loaded' }]);
    expect((await names()).toSorted()).toEqual(before);
  });
});

import { beforeEach, describe, expect, test } from 'vitest';
import type { UnloadResult } from '../../src/index.ts';
import { leaseReference } from '../../src/verbs/load/lease.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { fixturePath } from '../support/fixtures.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ID = `sha256:${'c'.repeat(64)}`;
const REF = 'app:pipeline-1-cccccccccccc';
const HOUR = 3_600_000;
const gitlab = (job: string): Record<string, string> => ({ ...gitlabJob(job, 'test'), CI_PIPELINE_ID: '1' });

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

/** A daemon with an image that a job has loaded so many hours ago. */
async function withLoaded(job: string, hours = 0): Promise<FakeDaemon> {
  const lease = leaseReference({ job, now: new Date(Date.now() - hours * HOUR) }, REF, REF, []);
  return FakeDaemon.start({ images: [{ id: ID, names: [lease, REF], diffIds: [] }] });
}
const run = (fake: FakeDaemon, args: string[], env: Record<string, string> = {}) =>
  drayage(['unload', '--host', fake.host, ...args], { cwd, env });

describe('unload', () => {
  test('gives back what this job has loaded', async () => {
    const fake = await withLoaded('7');
    const { code, stdout } = await run(fake, [], gitlab('7'));
    expect([code, stdout]).toEqual([0, `${REF}: removed\n`]);
    expect(fake.images).toEqual([]);
  });

  test('has one document with --json', async () => {
    const fake = await withLoaded('7');
    const args = ['unload', '--host', fake.host];
    const first = await drayageJson<UnloadResult>(args, { cwd, env: gitlab('8') });
    expect(first).toEqual({ removed: [], kept: [] });
    expect(await drayageJson(args, { cwd, env: gitlab('7') })).toEqual({ removed: [REF], kept: [] });
  });

  test('says what it keeps because a container uses it, and ends with 0', async () => {
    const fake = await withLoaded('7');
    fake.containers.push({ Id: 'd'.repeat(64), Names: ['/web'], Image: REF, ImageID: ID });
    const { code, stdout } = await run(fake, [], gitlab('7'));
    expect([code, stdout]).toEqual([0, `${REF}: kept, the container web uses it\n`]);
    expect(fake.images).toHaveLength(1);
    expect(fake.lines.filter((line) => line.startsWith('DELETE'))).toEqual([]);
    expect((await run(fake, ['-q'], gitlab('7'))).stdout).toBe('');
  });

  test('outside a job it is a mistake that says what to do instead', async () => {
    const fake = await withLoaded('7');
    const { code, stderr } = await run(fake, []);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--older-than')]);
    expect(fake.seen).toEqual([]);
  });
});

describe('unload --older-than', () => {
  test.each([
    ['24h', true],
    ['1d', true],
    ['26h', false],
    ['1500m', false],
    ['86400s', true],
  ])('%s of what was loaded 24.5 hours ago: %s', async (age, removed) => {
    const fake = await withLoaded('7', 24.5);
    const { code, stdout } = await run(fake, ['--older-than', age, '-q']);
    expect([code, stdout]).toEqual([0, removed ? `${REF}\n` : '']);
  });

  test('is for all jobs, and spares the younger leases of this one', async () => {
    const fake = await withLoaded('7');
    const { code, stdout } = await run(fake, ['--older-than', '24h'], gitlab('7'));
    expect([code, stdout]).toEqual([0, `nothing to give back at ${fake.host}\n`]);
  });

  test.each(['', '24', 'h', '1.5h', '-1h', '1w', '24 h'])('%j is not an age', async (age) => {
    const fake = await withLoaded('7', 99);
    const { code } = await run(fake, ['--older-than', age]);
    expect(code).toBe(2);
    expect(fake.images).toHaveLength(1);
  });
});

test('load in a job takes a lease, and outside one none', async () => {
  const fake = await FakeDaemon.start();
  const options = { cwd, env: gitlab('7') };
  await drayage(['save', '--from', fixturePath('demo.tar'), '-o', 'layout'], options);
  const load = ['load', 'layout', '-i', 'drayage-demo/worker:1.0', '--host', fake.host];
  expect((await drayage(load, { cwd })).code).toBe(0);
  const names = (): string[] => fake.images.flatMap((image) => image.names);
  expect(names()).toHaveLength(2);
  fake.images.length = 0;
  expect((await drayage(load, options)).code).toBe(0);
  expect(names().filter((name) => name.startsWith('drayage-lease:7-'))).toHaveLength(1);
  expect(names()).toHaveLength(2);
  expect((await run(fake, [], gitlab('7'))).code).toBe(0);
  expect(fake.images).toEqual([]);
});

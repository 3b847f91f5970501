import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeCargo } from '../docker/cargo.ts';
import type { SaveResult } from '../../src/index.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import type { FakeJob } from '../support/fake-gitlab.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { JobChain } from '../support/job-chain.ts';
import { listFiles } from '../support/list-files.ts';

const FIRST = makeCargo({ layers: ['base', 'one'] });
const SECOND = makeCargo({ layers: ['base', 'one', 'two'] });
/** What GitLab answers, how a run ends then, and what it says about a way out. */
const ANSWERS = [
  [404, 3, '--base-job none'],
  [410, 3, '--base-job none'],
  [403, 1, 'allowlist'],
] as const;

let chain: JobChain;
let shipped: readonly FakeJob[];
let registry: FakeRegistry;
let env: Record<string, string>;
beforeAll(async () => {
  chain = await JobChain.open();
  await chain.pipeline('1', FIRST);
  shipped = [...chain.jobs];
});
afterAll(async () => chain.close());
beforeEach(async () => {
  await chain.reset(shipped);
  chain.gitlab.options.ranges = true;
  registry = await FakeRegistry.start();
  env = { ...SIGNING_JOB, ...chain.envOf('2'), DRAYAGE_PLAIN_HTTP: registry.host };
});

const run = async (...args: string[]): Promise<CliResult> => drayage(args, { cwd: chain.cwd, env });

/** Saves the second image against the first job, into the folder `thin`. */
async function saveThin(...options: string[]): Promise<{ stderr: string; omitted: number }> {
  await chain.build(SECOND);
  const save = ['save', '--from', 'built', '--base-job', 'build', '-o', 'thin', '--json', ...options];
  const { code, stdout, stderr } = await run(...save);
  expect([code, stderr]).toEqual([0, stderr]);
  const [image] = (JSON.parse(stdout) as SaveResult).images;
  return { stderr, omitted: image?.layers.filter(({ status }) => status === 'omitted').length ?? 0 };
}

describe.each(ANSWERS)('where GitLab answers %i for a base job', (status, code, way) => {
  beforeEach(async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(join(chain.cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect((await saveThin()).omitted).toBe(2);
    chain.refuse('1', status);
  });

  test.each<[string, (host: string) => string[]]>([
    ['load', () => ['thin', '--to', 'docker-archive:app.tar']],
    ['fetch', () => ['--complete', 'thin']],
    ['sign', () => ['thin', '--key', 'key.pem']],
    ['promote', (host) => ['app:1', `${host}/app:1`, '--from', 'thin']],
  ])('%s names the job and the way out, and changes nothing', async (verb, args) => {
    const before = await listFiles(chain.cwd);
    const ended = await run(verb, ...args(registry.host));
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining('job 1 of project 12')]);
    expect(ended.stderr).toContain(way);
    expect(await listFiles(chain.cwd)).toEqual(before);
    expect(registry.store.repository('app').manifests.size).toBe(0);
  });
});

test.each([
  [404, 'expire_in'],
  [410, 'expire_in'],
  [401, 'CI_JOB_TOKEN'],
  [403, 'allowlist'],
])('save stores all layers where GitLab answers %i, and says why', async (status, why) => {
  chain.gitlab.faults.api = (_, response) => void response.writeHead(status).end('{}');
  const { stderr, omitted } = await saveThin();
  expect(omitted).toBe(0);
  expect(stderr).toMatch(new RegExp(`base job build of main is not used: .* ${status}; .*${why}`));
});

test('a base job of another project is recorded with that, and its refusal names the setting', async () => {
  const { stderr } = await saveThin('--project', 'group/other');
  expect(stderr).toContain('job 1 of group/other has them');
  const load = ['load', 'thin', '--to', 'docker-archive:app.tar'];
  chain.refuse('1', 404);
  const refused = await run(...load);
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('base job 1 of group/other')]);
  expect(refused.stderr).toContain('allowlist must name this one');
  chain.gitlab.faults.api = undefined;
  expect(await run(...load)).toMatchObject({ code: 0 });
});

test.each([true, false])('a base job is read where ranges are served, and where not (%s)', async (ranges) => {
  chain.gitlab.options.ranges = ranges;
  expect((await saveThin()).omitted).toBe(2);
  expect(await run('load', 'thin', '--to', 'docker-archive:app.tar')).toMatchObject({ code: 0 });
});

describe('a base job that is gone is not missed', () => {
  beforeEach(async () => {
    await saveThin();
  });

  test('where the cache has its layers', async () => {
    const load = ['load', 'thin', '--cache', 'cache', '--to'];
    expect(await run(...load, 'docker-archive:filling.tar')).toMatchObject({ code: 0 });
    chain.refuse('1', 404);
    chain.gitlab.seen.splice(0);
    expect(await run(...load, 'docker-archive:app.tar')).toMatchObject({ code: 0 });
    expect(chain.gitlab.seen).toEqual([]);
  });

  test('where a restored layout has its layers, which the cache then lacks', async () => {
    expect(await run('fetch', '--job-id', '1', '-o', 'restored')).toMatchObject({ code: 0 });
    chain.refuse('1', 404);
    chain.gitlab.seen.splice(0);
    const load = ['load', 'thin', 'restored', '--cache', 'cache', '--expect', 'pipeline=2'];
    expect(await run(...load, '--to', 'docker-archive:app.tar')).toMatchObject({ code: 0 });
    expect(chain.gitlab.seen).toEqual([]);
    const sizes = (await listFiles(join(chain.cwd, 'cache')).catch(() => [])).map(({ size }) => size);
    expect(sizes.filter((size) => FIRST.layers.some((layer) => layer.size === size))).toEqual([]);
  });
});

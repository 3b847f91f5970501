import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { imageFiles, zipped } from '../gitlab/artifacts.ts';
import { drayage } from '../support/cli.ts';
import { FakeGitLab, JOB_TOKEN } from '../support/fake-gitlab.ts';
import { fixturePath } from '../support/fixtures.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { killAtRandom } from '../support/kill-at-random.ts';
import { zip } from '../support/zip-bytes.ts';
import { buildkitEntry, writeBuilderLayout } from '../support/builder-layout.ts';
import { ageLeftovers, tempFolderInMemory } from './folders.ts';
import { sampleImage } from '../../src/testing/sample-images.ts';

/** Each command gets its share of them. */
const KILLS = Number(process.env['DRAYAGE_KILLS'] ?? 200);
const DEMO = fixturePath('demo.tar');
const NAMES = ['drayage-demo/api:1.0', 'drayage-demo/worker:1.0'];

async function namesIn(path: string): Promise<string[]> {
  if (!existsSync(join(path, 'index.json'))) return [];
  await using layout = await Layout.open(path);
  const { problems } = await verify({ layout });
  expect(problems).toEqual([]);
  return (await layout.images()).flatMap(({ names }) => names);
}

test(
  `${KILLS} kills at random moments lose nothing that was reported done`,
  { timeout: 120_000 + KILLS * 4000 },
  async () => {
    const cwd = tempFolderInMemory();
    const signing = { CI_COMMIT_REF_PROTECTED: 'true', CI_PIPELINE_SOURCE: 'push', CI_RUNNER_ID: '7' };
    const archive = zip(zipped(imageFiles(sampleImage(['base', 'app']), 'app:1', '.drayage/77')));
    const gitlab = await FakeGitLab.start({ jobs: [{ id: 77, name: 'other', archive }] });
    const api = { CI_API_V4_URL: gitlab.url, CI_JOB_TOKEN: JOB_TOKEN };
    const env = { ...gitlabJob('123', 'build'), ...signing, ...api };
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const commands = [
      ['save', '--from', DEMO, '-o', 'a', NAMES[0] ?? ''],
      ['save', '--from', DEMO, '-o', 'a', NAMES[1] ?? ''],
      ['sign', 'a', '--key', 'key.pem'],
      ['merge', 'a', '-o', 'b'],
      ['prune', 'b', '--older-than', '1s'],
      ['save', '--from', 'built', '-o', 'built', 'app:1'],
      ['fetch', '--job-id', '77', '--expect', 'none', '-o', 'c'],
    ];
    const built = sampleImage(['base', 'app']);
    const entries = [buildkitEntry(built, 'app', '1')];
    const done = { a: new Set<string>(), c: new Set<string>() };
    const killed = await killAtRandom(commands, {
      kills: KILLS,
      cwd,
      env,
      prepare: async () => {
        for (const layout of ['a', 'b', 'built', 'c'])
          rmSync(join(cwd, layout), { recursive: true, force: true });
        for (const names of Object.values(done)) names.clear();
        await writeBuilderLayout(join(cwd, 'built'), { content: [built], entries });
      },
      afterEach: async (args, isDone, what) => {
        if (isDone && args[2] === DEMO) done.a.add(args.at(-1) ?? '');
        if (isDone && args[0] === 'fetch') done.c.add('app:1');
        for (const [layout, reported] of Object.entries(done)) {
          const names = await namesIn(join(cwd, layout));
          for (const name of reported) expect(names, what).toContain(name);
        }
        await namesIn(join(cwd, 'b'));
        expect(await namesIn(join(cwd, 'built'))).toEqual(['app:1']);
        ageLeftovers(cwd);
      },
    });
    console.log(Object.fromEntries(killed));
    for (const args of commands) expect((await drayage(args, { cwd, env })).code).toBe(0);
    // The reports of the job, and no staging.
    expect(readdirSync(cwd).toSorted()).toEqual(['.drayage', 'a', 'b', 'built', 'c', 'key.pem']);
  },
);

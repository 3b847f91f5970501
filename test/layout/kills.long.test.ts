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
import { zip } from '../support/zip-bytes.ts';
import { buildkitEntry, writeBuilderLayout } from '../support/builder-layout.ts';
import { ageLeftovers, tempFolderInMemory } from './folders.ts';
import { sampleImage } from '../../src/testing/sample-images.ts';

const KILLS = 200;
const DEMO = fixturePath('demo.tar');
const NAMES = ['drayage-demo/api:1.0', 'drayage-demo/worker:1.0'];

/** Numbers from 0 to 1 that are the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function namesIn(path: string): Promise<string[]> {
  if (!existsSync(join(path, 'index.json'))) return [];
  await using layout = await Layout.open(path);
  const { problems } = await verify({ layout });
  expect(problems).toEqual([]);
  return (await layout.images()).flatMap(({ names }) => names);
}

test(
  `${KILLS} kills at random moments lose nothing that was reported done`,
  { timeout: 400_000 },
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
      ['prune', 'b'],
      ['save', '--from', 'built', '-o', 'built', 'app:1'],
      ['fetch', '--job-id', '77', '--expect', 'none', '-o', 'c'],
    ];
    const built = sampleImage(['base', 'app']);
    const entries = [buildkitEntry(built, 'app', '1')];
    await writeBuilderLayout(join(cwd, 'built'), { content: [built], entries });
    const next = random(4711);
    const durations = new Map<number, number>();
    const done = { a: new Set<string>(), c: new Set<string>() };
    let killed = 0;
    for (let run = 0; killed < KILLS; run++) {
      const which = run % commands.length;
      const args = commands[which] ?? [];
      const started = performance.now();
      const isKilled = durations.has(which);
      const delay = (durations.get(which) ?? 0) * next();
      const result = await drayage(args, {
        cwd,
        env,
        onStart: (child) => void (isKilled && setTimeout(() => child.kill('SIGKILL'), delay)),
      });
      if (!isKilled) durations.set(which, performance.now() - started);
      if (result.code === null) killed += 1;
      else expect(result.code, `${args.join(' ')}: ${result.stderr}`).toBe(0);
      if (result.code === 0 && args[2] === DEMO) done.a.add(args.at(-1) ?? '');
      if (result.code === 0 && args[0] === 'fetch') done.c.add('app:1');
      for (const [layout, reported] of Object.entries(done)) {
        const names = await namesIn(join(cwd, layout));
        for (const name of reported) expect(names, `after kill ${killed}: ${args.join(' ')}`).toContain(name);
      }
      await namesIn(join(cwd, 'b'));
      expect(await namesIn(join(cwd, 'built'))).toEqual(['app:1']);
      if (done.c.size > 0) {
        // The next one has everything to fetch again.
        rmSync(join(cwd, 'c'), { recursive: true });
        done.c.clear();
      }
      ageLeftovers(cwd);
    }
    for (const args of commands) expect((await drayage(args, { cwd, env })).code).toBe(0);
    // The reports of the job, and no staging.
    expect(readdirSync(cwd).toSorted()).toEqual(['.drayage', 'a', 'b', 'built', 'c', 'key.pem']);
  },
);

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import type { CliOptions, CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { fixturePath } from '../support/fixtures.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { listFiles } from '../support/list-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEMO = fixturePath('demo.tar');
const JOB = gitlabJob('123', 'build');
const API = 'drayage-demo/api:1.0';

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

const run = async (args: string[], env: CliOptions['env'] = {}): Promise<CliResult> =>
  drayage(args, { cwd, env });

async function layoutWith(path: string, name: string): Promise<void> {
  const layout = await Layout.create(join(cwd, path));
  await layout.update((transaction) => addSample(transaction, sampleImage([path, name]), [name]));
}

describe('a report that cannot be written is refused before anything changes', () => {
  test.each([
    ['report.env', 'save', '--from', DEMO, '-o', 'out'],
    ['annotations.json', 'save', '--from', DEMO],
    ['annotations.json', 'save', 'app:1', '--host', 'unix:///nowhere'],
    ['annotations.json', 'merge', 'lay', '-o', 'out', '--expect', 'none'],
    ['report.env', 'merge', 'lay', '--expect', 'none'],
  ])('%s, by %s %s', async (report, ...args) => {
    await layoutWith('lay', 'app:1');
    await mkdir(join(cwd, '.drayage', report), { recursive: true });
    const before = await listFiles(cwd);
    const { code, stderr } = await run(args, JOB);
    expect([code, stderr]).toEqual([
      1,
      `drayage: cannot write .drayage/${report}: it is a folder (EISDIR)\n`,
    ]);
    expect(await listFiles(cwd)).toEqual(before);
  });

  test('by promote', async () => {
    const fake = await FakeRegistry.start();
    await run(['save', '--from', DEMO, '-q'], JOB);
    await rm(join(cwd, '.drayage/annotations.json'));
    await mkdir(join(cwd, '.drayage/annotations.json'));
    const { code, stderr } = await run(['promote', API, `${fake.host}/api:1`], JOB);
    expect([code, stderr]).toEqual([1, expect.stringContaining('cannot write .drayage/annotations.json')]);
    expect(fake.requests()).toEqual([]);
  });
});

test.each([
  ['save', '--from', 'lay', '-o', 'out'],
  ['merge', 'lay', '-o', 'out', '--expect', 'none'],
  ['load', 'lay', '--dotenv', '.env', '--expect', 'none'],
  ['promote', '--all', '--from', 'lay', '--to', 'REGISTRY/{name}:{tag}', '--expect', 'none'],
])('images that would share a variable are refused before anything changes: %s', async (...args) => {
  await layoutWith('lay', 'team/a.b:1');
  await layoutWith('lay', 'team/a-b:1');
  const [registry, daemon] = [await FakeRegistry.start(), await FakeDaemon.start()];
  const before = await listFiles(cwd);
  const given = args.map((text) => text.replace('REGISTRY', registry.host));
  const { code, stderr } = await run(given, { ...JOB, DOCKER_HOST: daemon.host });
  expect([code, stderr]).toEqual([2, expect.stringMatching(/ would both be DRAYAGE_\w*TEAM_A_B_REF\n/)]);
  expect(await listFiles(cwd)).toEqual(before);
  const changes = [...registry.requests(), ...daemon.lines].filter((line) => !/^(?:GET|HEAD) /.test(line));
  expect(changes).toEqual([]);
});

test.each([
  [['load', 'lay', '--dotenv', 'nowhere/.env', '--host', 'unix:///nowhere'], 'nowhere/.env', 4],
  [['load', 'lay', '--dotenv', 'lay', '--host', 'unix:///nowhere'], 'lay', 1],
  [['load', 'lay', '--to', 'docker-archive:nowhere/app.tar'], 'nowhere/app.tar', 4],
  [['load', 'lay', '--to', 'docker-archive:lay/index.json/app.tar'], 'lay/index.json/app.tar', 4],
  [['load', 'lay', '--to', 'docker-archive:lay:app:2'], 'lay', 1],
  [['inspect', 'lay', '--html', 'lay'], 'lay', 1],
  [['inspect', 'lay', '--html', 'nowhere/page.html'], 'nowhere/page.html', 4],
])('a file that cannot be written is refused first: %j', async (args, path, exitCode) => {
  await layoutWith('lay', 'app:1');
  const { code, stderr } = await run(args);
  expect([code, stderr]).toEqual([exitCode, expect.stringContaining(`drayage: cannot write ${path}: `)]);
});

describe('of several layouts, none changes if one is refused', () => {
  test.each([
    ['prune', 'a', 'b', '-i', 'app:1'],
    ['prune', 'a', 'b', '-i', 'app:1', '-i', 'app:2'],
    ['fetch', '--complete', 'a', 'b', '-i', 'app:1'],
    ['fetch', '--complete', 'a', 'b', '--expect', 'pipeline=1'],
  ])('%s %s %s %s %s', async (...args) => {
    await layoutWith('a', 'app:1');
    await layoutWith('b', 'app:2');
    const before = await listFiles(cwd);
    const { code } = await run(args);
    expect([4, 5]).toContain(code);
    expect(await listFiles(cwd)).toEqual(before);
  });
});

test.each(['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'])(
  'a name of the system is not replaced: %s',
  async (path) => {
    await layoutWith('lay', 'app:1');
    // Standard output is a regular file. A name that does not exist would prove as much, without harm if it fails.
    const { code, stderr } = await run(['inspect', 'lay', '--html', `${path}.html`]);
    expect([code, stderr]).toEqual([4, expect.stringContaining(`${path}.html is no regular file`)]);
  },
);

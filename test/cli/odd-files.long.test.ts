import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { save } from '../../src/verbs/save/save.ts';
import { drayage } from '../support/cli.ts';
import { fixtureArchive, fixturePath } from '../support/fixtures.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEMO = fixturePath('demo.tar');
/** No text that might be a key: that is never repeated. */
const LONG = 'x.'.repeat(150);
const NOWHERE = { DOCKER_HOST: 'unix:///nowhere/docker.sock' };
const JOB = { ...gitlabJob('123', 'build'), CI_PIPELINE_SOURCE: 'push', CI_RUNNER_ID: '7' };

/** What a path may lead to besides a file or folder of the kind that is expected. */
const ODD = ['loop', LONG, 'socket', 'text/child', '/proc/self/mem'];

type Command = (path: string) => string[];

const READS: Record<string, Command> = {
  'save --from': (path) => ['save', '--from', `docker-archive:${path}`, '-o', 'out'],
  'save --iidfile': (path) => ['save', '--from', DEMO, '--iidfile', path, '-o', 'out'],
  'save --metadata-file': (path) => ['save', '--from', DEMO, '--metadata-file', path, '-o', 'out'],
  'save --base-layout': (path) => ['save', '--from', DEMO, '--base-layout', path, '-o', 'out'],
  'save --sign': (path) => ['save', '--from', DEMO, '-o', 'out', '--sign', '--key', path],
  load: (path) => ['load', path, '--to', 'oci:out'],
  'load docker-archive:': (path) => ['load', `docker-archive:${path}`, '--to', 'oci:out'],
  'load oci-archive:': (path) => ['load', `oci-archive:${path}`, '--to', 'oci:out'],
  'load --key': (path) => ['load', 'lay', '--key', path, '--to', 'oci:out'],
  'sign --key': (path) => ['sign', 'lay', '--key', path],
  'load --ca': (path) => ['load', 'lay', '--ca', path, '--to', 'oci:out'],
  merge: (path) => ['merge', path, '-o', 'out'],
  diff: (path) => ['diff', 'lay', path],
  verify: (path) => ['verify', path],
  inspect: (path) => ['inspect', path],
  prune: (path) => ['prune', path],
  sign: (path) => ['sign', path, '--key', 'key.pem'],
  'fetch --complete': (path) => ['fetch', '--complete', path],
  promote: (path) => ['promote', 'drayage-demo/api:1.0', '127.0.0.1:1/api:1', '--from', path],
};

const WRITES: Record<string, Command> = {
  'save -o': (path) => ['save', '--from', DEMO, '-o', path],
  'merge -o': (path) => ['merge', 'lay', '-o', path],
  'load --to oci:': (path) => ['load', 'lay', '--to', `oci:${path}`],
  'load --to docker-archive:': (path) => ['load', 'lay', '--to', `docker-archive:${path}`],
  'load --dotenv': (path) => ['load', 'lay', '--dotenv', path],
  'inspect --html': (path) => ['inspect', 'lay', '--html', path],
};

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
  await save({ from: fixtureArchive('demo.tar'), to: await Layout.create(join(cwd, 'lay')) });
  await writeFile(join(cwd, 'text'), 'neither a tar archive nor a key');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(join(cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await symlink('loop', join(cwd, 'loop'));
  const server = createServer().listen(join(cwd, 'socket'));
  onTestFinished(() => void server.close());
});

describe.each(Object.entries({ ...READS, ...WRITES }))('drayage %s', (name, command) => {
  test('tells each odd file in one line that names it, and changes nothing', async () => {
    const before = await everything();
    const env = { ...NOWHERE, ...(/sign/.test(name) && JOB) };
    const results = await Promise.all(ODD.map(async (path) => drayage(command(path), { cwd, env })));
    for (const [i, { code, stderr }] of results.entries()) {
      const [first = '', hint, ...more] = stderr.trimEnd().split('\n');
      expect([1, 2, 4], stderr).toContain(code);
      expect(first).toMatch(/^drayage: /);
      expect(first).toContain(ODD[i]?.split('/')[0]);
      expect(first.match(/\bE[A-Z]{2,}\b/g) ?? [], first).toHaveLength(first.includes('(E') ? 1 : 0);
      if (hint !== undefined) expect(hint).toMatch(/^ {2}\S/);
      expect(more).toEqual([]);
    }
    expect(await everything()).toEqual(before);
  }, 60_000);
});

async function everything(): Promise<string[]> {
  return (await readdir(cwd, { recursive: true })).toSorted();
}

test('a named pipe without a writer is no layout, and is not replaced', async () => {
  execFileSync('mkfifo', [join(cwd, 'pipe')]);
  for (const args of [
    ['verify', 'pipe'],
    ['inspect', 'lay', '--html', 'pipe'],
    ['load', 'lay', '--to', 'docker-archive:pipe'],
  ])
    expect((await drayage(args, { cwd })).stderr).toContain('only regular files and folders are used here');
});

import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { save } from '../../src/verbs/save/save.ts';
import type { CliOptions, CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { fixtureArchive, fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEMO = fixturePath('demo.tar');
const BIN = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const NOWHERE = { DOCKER_HOST: 'unix:///nowhere/docker.sock' };
const IS_ROOT = process.geteuid?.() === 0;
/** A user that the system does not list. Permissions mean nothing to root. */
const NOBODY = IS_ROOT ? 4711 : undefined;
const DENIED = 'permission denied (EACCES)\n  change the permissions, or run as a user who has them\n';

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
  await chmod(cwd, 0o777);
});

const run = async (args: string[], options: Partial<CliOptions> = {}): Promise<CliResult> =>
  drayage(args, { cwd, ...options });

/** Runs in a folder that is gone before the run begins. */
async function runNowhere(args: readonly string[]): Promise<CliResult> {
  const folder = join(cwd, 'gone');
  await mkdir(folder);
  return drayage(args, { cwd: folder, before: 'rmdir "$PWD"' });
}

async function layoutAt(path: string): Promise<void> {
  await mkdir(join(cwd, path, '..'), { recursive: true });
  await save({ from: fixtureArchive('demo.tar'), to: await Layout.create(join(cwd, path)) });
}

describe('a file or folder that may not be read', () => {
  test.each([
    ['inspect'],
    ['load'],
    ['verify'],
    ['merge', '-o', 'merged'],
    ['promote', 'app:1', 'registry.example/app:1'],
    ['fetch', '--complete'],
  ])('is not taken for absent: .drayage, by %s', async (...args) => {
    await layoutAt('.drayage/images');
    await chmod(join(cwd, '.drayage'), 0);
    const { code, stderr } = await run(args, { env: NOWHERE, uid: NOBODY });
    await chmod(join(cwd, '.drayage'), 0o700);
    expect([code, stderr]).toEqual([1, `drayage: cannot read the folder .drayage: ${DENIED}`]);
  });

  test.each([
    ['save', '--from', 'app.tar'],
    ['save', '--from', 'docker-archive:app.tar'],
    ['load', 'docker-archive:app.tar', '--to', 'oci:out'],
    ['merge', 'docker-archive:app.tar', '-o', 'out'],
    ['diff', 'docker-archive:app.tar', 'docker-archive:app.tar'],
  ])('is told once, with what to do: an archive, by %s %s', async (...args) => {
    await writeFile(join(cwd, 'app.tar'), 'x');
    await chmod(join(cwd, 'app.tar'), 0);
    const { code, stderr } = await run(args, { uid: NOBODY });
    expect([code, stderr]).toEqual([1, `drayage: app.tar cannot be read: ${DENIED}`]);
  });
});

describe('an archive names its file in errors', () => {
  test.each([
    [['save', '--from', 'text.tar', '-o', 'out'], 'text.tar: '],
    [['load', 'oci-archive:text.tar', '--to', 'oci:out'], 'text.tar: '],
    [['diff', 'docker-archive:text.tar', 'docker-archive:text.tar'], 'text.tar: '],
    [['save', '--from', '-', '-o', 'out'], 'standard input: '],
    [['save', '--from', DEMO, 'nope:1', '-o', 'out'], `${DEMO}: no image`],
    [['save', '--from', 'docker-archive:folder', '-o', 'out'], 'folder cannot be read: it is a folder'],
    [['save', '--from', 'nothing', '-o', 'out'], 'nothing cannot be read: no such file or folder (ENOENT)'],
  ])('%j', async (args, start) => {
    await writeFile(join(cwd, 'text.tar'), 'no tar');
    await mkdir(join(cwd, 'folder'));
    const { code, stderr } = await run(args);
    expect(code).not.toBe(0);
    expect(stderr.startsWith(`drayage: ${start}`), stderr).toBe(true);
  });
});

describe('a user without a folder of its own', () => {
  test.each([
    [['load', 'lay'], 'cannot reach docker'],
    [['save', 'app:1'], 'cannot reach docker'],
    [['untag', '127.0.0.1:1/app:1'], 'cannot reach https://127.0.0.1:1'],
    [['promote', 'drayage-demo/api:1.0', '127.0.0.1:1/app:1', '--from', 'lay'], 'cannot reach'],
  ])('can run %j', async (args, start) => {
    await layoutAt('lay');
    const { stderr } = await run(args, { env: { HOME: '', ...NOWHERE }, uid: NOBODY });
    expect(stderr).toContain(`drayage: ${start}`);
  });
});

test.each([
  ['load', `docker-archive:${DEMO}`, '--to', 'oci:out'],
  ['merge', `docker-archive:${DEMO}`, '-o', 'out'],
  ['diff', `docker-archive:${DEMO}`, `docker-archive:${DEMO}`],
])('a missing folder for temporary files is told by %s %s', async (...args) => {
  const { code, stderr } = await run(args, { env: { TMPDIR: '/nonexistent' } });
  expect([code, stderr]).toEqual([
    1,
    'drayage: cannot make a folder in /nonexistent: no such file or folder (ENOENT)\n' +
      '  TMPDIR names the folder for temporary files: it must exist and be writable\n',
  ]);
});

/** Namespaces of mounts need root. */
const withMounts = test.runIf(IS_ROOT && process.platform === 'linux');

withMounts.each([
  ['save', '--from', DEMO, '-o', 'out'],
  ['save', '--from', DEMO, '-o', 'a/b/out'],
  ['save', '--from', DEMO],
  ['merge', 'lay', '-o', 'a/b/out'],
  ['load', 'lay', '--to', 'oci:a/b'],
  ['load', 'lay', '--to', 'docker-archive:app.tar'],
  ['inspect', 'lay', '--html', 'page.html'],
  ['prune', 'lay'],
])('a read-only file system is told as such: %s %s %s %s', async (...args) => {
  await layoutAt('lay');
  const script = 'mount --bind . . && mount -o remount,ro,bind . && cd "$PWD" && exec "$@"';
  const command = ['-m', 'sh', '-c', script, 'sh', process.execPath, BIN, ...args];
  let stderr = '';
  try {
    execFileSync('/usr/bin/unshare', command, { cwd, stdio: 'pipe', encoding: 'utf8' });
  } catch (error) {
    ({ stderr = '' } = error as { stderr?: string });
  }
  expect(stderr).toContain('the file system is read-only (EROFS)');
  expect(await readdir(cwd)).toEqual(['lay']);
});

describe('wrong values need no daemon to be found', () => {
  test.each([
    ['save'],
    ['save', '::'],
    ['save', 'x', '--max-size', 'large'],
    ['save', 'x', '--lock-timeout', 'long'],
    ['save', 'x', '--level', '99'],
    ['save', 'x', '--base', '::'],
    ['save', 'x', '--env', '1A'],
    ['save', 'x', '--platform', 'a/b/c/d'],
    ['save', '--from', ''],
    ['load', 'lay', '--tag', '::'],
    ['load', 'lay', '--env', '1A'],
    ['load', 'lay', '--cache=c', '--cache-size', 'large'],
    ['load', 'lay', '--lock-timeout', 'long'],
    ['load', 'lay', '--platform', 'a/b/c/d'],
    ['unload', '--older-than', 'old'],
    ['promote', 'app:1', 'registry.example/app:1', '--cache=c', '--cache-size=1x'],
    ['promote', 'app:1', 'registry.example/app:1', '--base', '::'],
    ['untag', '::'],
    ['prune', 'lay', '--older-than', 'old'],
  ])('drayage %s %s %s %s', async (...args) => {
    const { code, stderr } = await run(args, { env: NOWHERE });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^drayage: /)]);
    expect(await readdir(cwd)).toEqual([]);
  });

  test('but doctor lists them beside all else', async () => {
    const { code, stdout } = await run(['doctor', '--max-size', 'large'], { env: NOWHERE });
    expect([code, stdout]).toEqual([2, expect.stringContaining('fail  request      not a size: large')]);
  });
});

describe.runIf(process.platform === 'linux')('a working folder that was removed', () => {
  test.each([
    ['save', '--from', DEMO],
    ['load'],
    ['inspect', '/nowhere'],
    ['verify'],
    ['merge', '/nowhere', '-o', '/nowhere'],
    ['fetch', '--complete', 'lay'],
    ['diff', 'a', 'b'],
    ['prune', 'lay'],
  ])('ends drayage %s with what to do', async (...args) => {
    const { code, stderr } = await runNowhere(args);
    expect([code, stderr]).toEqual([
      1,
      'drayage: the working folder does not exist any more\n  change into a folder that exists\n',
    ]);
  });

  test('does not keep drayage from its help', async () => {
    expect(await runNowhere(['save', '--help'])).toMatchObject({ code: 0, stderr: '' });
  });
});

test('a mistake in the arguments of a command points to the help of that command', async () => {
  expect((await run(['save', '--nope'])).stderr).toContain('see drayage save --help');
  expect((await run(['help', 'sve'])).stderr).toContain('see drayage --help');
});

test('a layout in .drayage itself is found like those below it', async () => {
  await run(['save', '--from', DEMO, '-o', '.drayage']);
  const { code, stdout } = await run(['inspect', '-q']);
  expect([code, stdout.trim().split('\n').length]).toEqual([0, 2]);
  await run(['save', '--from', DEMO, '-o', '.drayage/images', 'drayage-demo/api:1.0']);
  const { stdout: both } = await run(['inspect', '--json']);
  expect((JSON.parse(both) as { layouts: string[] }).layouts).toEqual([
    join(cwd, '.drayage'),
    join(cwd, '.drayage/images'),
  ]);
});

test('inspect says which layers are missing, and counts none of their bytes', async () => {
  await layoutAt('lay');
  const { stdout: whole } = await run(['inspect', 'lay', '--json']);
  type Shown = {
    images: { layers: { digest: string; size: number; missing: boolean }[] }[];
    bytes: { stored: number };
  };
  const before = JSON.parse(whole) as Shown;
  const layer = before.images[0]?.layers[0];
  await rm(join(cwd, 'lay/blobs', ...(layer?.digest ?? '').split(':')));
  const after = JSON.parse((await run(['inspect', 'lay', '--json'])).stdout) as Shown;
  expect(before.images[0]?.layers.some(({ missing }) => missing)).toBe(false);
  expect(after.images[0]?.layers.map(({ missing }) => missing)).toEqual(
    after.images[0]?.layers.map(({ digest }) => digest === layer?.digest),
  );
  expect(after.bytes.stored).toBe(before.bytes.stored - (layer?.size ?? 0));
  const { stdout } = await run(['inspect', 'lay']);
  expect(stdout).toMatch(new RegExp(`${layer?.digest ?? ''} .*missing`));
  expect(stdout).toContain('1 layer missing: the layout is incomplete');
});

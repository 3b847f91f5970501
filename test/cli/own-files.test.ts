import { execFileSync } from 'node:child_process';
import { link, lstat, mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { writeFileWhole } from '../../src/cli/output-file.ts';
import { readOwnFile } from '../../src/cli/own-file.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { signal } = new AbortController();

let workspace: string;
let outside: string;
beforeEach(async () => {
  const folder = await temporaryFolder();
  [workspace, outside] = [join(folder, 'app'), join(folder, 'elsewhere')];
  for (const path of [workspace, outside]) await mkdir(path);
  const env = { ...gitlabJob('124', 'deploy'), CI_PROJECT_DIR: workspace };
  for (const [key, value] of Object.entries(env)) vi.stubEnv(key, value);
  await writeFile(join(outside, 'precious'), 'SECRET=1\n', { mode: 0o640 });
});

const pipe = (path: string): void => void execFileSync('mkfifo', [path]);

describe('a file of the workspace that drayage writes itself', () => {
  test('is read with its permissions', async () => {
    await writeFile(join(workspace, '.env'), 'A=1\n', { mode: 0o600 });
    expect(await readOwnFile(join(workspace, '.env'))).toEqual({ bytes: Buffer.from('A=1\n'), mode: 0o600 });
  });

  test('may not exist, nor its folder', async () => {
    expect(await readOwnFile(join(workspace, '.env'))).toBe(undefined);
    expect(await readOwnFile(join(workspace, 'none/.env'))).toBe(undefined);
  });

  test.each<[string, (path: string) => Promise<void> | void]>([
    ['a link', (path) => symlink(join(outside, 'precious'), path)],
    ['a hard link', (path) => link(join(outside, 'precious'), path)],
    ['a pipe', pipe],
  ])('is refused as %s, and not read', async (_, plant) => {
    const path = join(workspace, '.env');
    await plant(path);
    await expect(readOwnFile(path)).rejects.toMatchObject({ code: 'LINK', facts: { path } });
  });

  test('is refused if it is too large for memory', async () => {
    const path = join(workspace, '.env');
    await writeFile(path, '');
    await truncate(path, 16 * 1024 * 1024 + 1);
    await expect(readOwnFile(path)).rejects.toMatchObject({
      code: 'LIMIT',
      message: `the file ${path} is larger than the limit of 16777216 bytes`,
      facts: { path },
    });
  });

  test('may be a link outside the workspace', async () => {
    await symlink(join(outside, 'precious'), join(outside, '.env'));
    expect(String((await readOwnFile(join(outside, '.env')))?.bytes)).toBe('SECRET=1\n');
  });
});

describe.runIf(process.platform === 'linux')('an output that replaces no file', () => {
  test.each([['in the workspace'], ['outside']])('is refused as a pipe %s, which stays', async (where) => {
    const path = join(where === 'outside' ? outside : workspace, 'app.tar');
    pipe(path);
    await expect(writeFileWhole(path, Readable.from(['x']), signal)).rejects.toMatchObject({
      code: 'LINK',
      message: `${path} is no regular file: only regular files and folders are used here`,
    });
    expect((await lstat(path)).isFIFO()).toBe(true);
  });

  test.each(['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'])(
    'is told how standard output is written: %s',
    async (path) => {
      await expect(writeFileWhole(path, Readable.from(['x']), signal)).rejects.toMatchObject({
        code: 'LINK',
        facts: { hint: 'for standard output, write - in its place' },
      });
    },
  );

  test('is refused as a link to a device, which stays', async () => {
    const path = join(outside, 'stdout');
    await symlink('/dev/null', path);
    await expect(writeFileWhole(path, Readable.from(['x']), signal)).rejects.toMatchObject({ code: 'LINK' });
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
  });
});

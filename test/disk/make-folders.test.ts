import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { makeFolders } from '../../src/disk/make-folders.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let folder: string;
beforeEach(async () => (folder = await temporaryFolder()));

test('folders that exist stay, and the outermost of those that are made is told', async () => {
  expect(await makeFolders(folder)).toBeUndefined();
  expect(await makeFolders(join(folder, 'a/b'), 0o700)).toBe(join(folder, 'a'));
  expect((await stat(join(folder, 'a/b'))).mode & 0o777).toBe(0o700);
});

test.each([
  ['is that file itself', 'text', 'EEXIST', 'something is there already (EEXIST)'],
  ['has it as a part', 'text/child', 'ENOTDIR', 'a part of the path is not a folder (ENOTDIR)'],
  ['has it further above', 'text/child/inner', 'ENOTDIR', 'a part of the path is not a folder (ENOTDIR)'],
])('where a file is, the error is that of the system: a path that %s', async (_, name, actual, why) => {
  await writeFile(join(folder, 'text'), 'content');
  const path = join(folder, name);
  await expect(makeFolders(path)).rejects.toMatchObject({
    code: 'IO',
    message: `cannot make the folder ${path}: ${why}`,
    facts: { actual, path },
  });
});

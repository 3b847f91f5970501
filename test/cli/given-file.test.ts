import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readGiven } from '../../src/cli/given-file.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('a file that the user named is read', async () => {
  const path = join(await temporaryFolder(), 'key');
  await writeFile(path, 'secret');
  expect(String(await readGiven(path, 'the key'))).toBe('secret');
});

test('one that does not exist is not found', async () => {
  const path = join(await temporaryFolder(), 'key');
  await expect(readGiven(path, 'the key', 'make one')).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: `the key ${path} cannot be read: no such file or folder (ENOENT)`,
    facts: { path, hint: 'make one' },
  });
});

test('one that the file system refuses is there: the error says why', async () => {
  const path = await temporaryFolder();
  await expect(readGiven(path, 'the key')).rejects.toMatchObject({
    code: 'IO',
    message: `the key ${path} cannot be read: it is a folder (EISDIR)`,
    facts: { path, actual: 'EISDIR' },
  });
});

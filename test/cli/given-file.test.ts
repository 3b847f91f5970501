import { execFileSync, spawn } from 'node:child_process';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { readGiven } from '../../src/cli/given-file.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('a file that the user named is read', async () => {
  const path = join(await temporaryFolder(), 'key');
  await writeFile(path, 'secret');
  expect(String(await readGiven(path, 'the key'))).toBe('secret');
});

test('one that does not exist is not found', async () => {
  const path = join(await temporaryFolder(), 'key');
  await expect(readGiven(path, 'the key', { hint: 'make one' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: `the key ${path} cannot be read: no such file or folder (ENOENT)`,
    facts: { path, hint: 'make one' },
  });
});

test('one that the file system refuses is there: the error says why', async () => {
  const path = await temporaryFolder();
  await expect(readGiven(path, 'the key', { hint: 'make one' })).rejects.toMatchObject({
    code: 'IO',
    message: `the key ${path} cannot be read: it is a folder (EISDIR)`,
    facts: { path, actual: 'EISDIR', hint: undefined },
  });
});

test('one that is too large for memory is refused', async () => {
  const path = join(await temporaryFolder(), 'key');
  await writeFile(path, '');
  await truncate(path, 16 * 1024 * 1024 + 1);
  await expect(readGiven(path, 'the key')).rejects.toMatchObject({ code: 'LIMIT' });
});

describe.runIf(process.platform === 'linux')('what is no regular file', () => {
  test('is read as far as the limit, if it never ends', async () => {
    await expect(readGiven('/dev/zero', 'the key')).rejects.toMatchObject({ code: 'LIMIT' });
  });

  test('is refused if it is a pipe that nobody writes into', async () => {
    const path = join(await temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [path]);
    await expect(readGiven(path, 'the key', { patience: 50 })).rejects.toMatchObject({
      code: 'IO',
      message: `the key ${path} is a pipe, and nobody wrote into it for 50 ms`,
    });
  });

  test('is read if it is a pipe whose writer comes later, and writes slowly', async () => {
    const path = join(await temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [path]);
    const bytes = readGiven(path, 'the key');
    const writer = spawn('sh', ['-c', `{ printf se; sleep 0.2; printf cret; } > '${path}'`]);
    expect(String(await bytes)).toBe('secret');
    writer.kill();
  });
});

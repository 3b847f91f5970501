import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openInput } from '../../src/disk/input.ts';
import { collect } from '../stream/sources.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));

async function pipe(): Promise<string> {
  const path = join(await temporaryFolder(), 'pipe');
  execFileSync('mkfifo', [path]);
  return path;
}

test('a file is read to its end', async () => {
  const path = join(await temporaryFolder(), 'file');
  await writeFile(path, content);
  expect((await collect(await openInput(path))).equals(content)).toBe(true);
});

describe('a named pipe', () => {
  test('is opened before its writer, and read to its end', async () => {
    const path = await pipe();
    const bytes = await openInput(path);
    const [read] = await Promise.all([collect(bytes), writeFile(path, content)]);
    expect(read.equals(content)).toBe(true);
  });

  test('that nobody writes ends when it is destroyed', async () => {
    const bytes = await openInput(await pipe());
    const read = collect(bytes);
    bytes.destroy();
    expect(await read).toHaveLength(0);
  });
});

test('an absent file is an error that names it', async () => {
  const path = join(await temporaryFolder(), 'absent');
  await expect(openInput(path)).rejects.toMatchObject({ code: 'NOT_FOUND', facts: { path } });
});

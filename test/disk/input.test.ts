import { execFileSync } from 'node:child_process';
import type * as FileSystem from 'node:fs';
import { readdirSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openInput } from '../../src/disk/input.ts';
import { collect } from '../stream/sources.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const meanwhile: { beforeOpen?: () => void; failsFstat?: boolean } = {};

vi.mock('node:fs', async (original) => {
  const real = await original<typeof FileSystem>();
  return {
    ...real,
    open: (...args: [string, number, (error: unknown, fd?: number) => void]) => {
      meanwhile.beforeOpen?.();
      real.open(...args);
    },
    fstat: (fd: number, done: (error: Error | null, stats?: FileSystem.Stats) => void) => {
      if (meanwhile.failsFstat === true) done(Object.assign(new Error('injected'), { code: 'EIO' }));
      else real.fstat(fd, done);
    },
  };
});

afterEach(() => {
  delete meanwhile.beforeOpen;
  delete meanwhile.failsFstat;
});

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

test('what was opened decides how it is read, whatever stood there before', async () => {
  const path = await pipe();
  writeFileSync(`${path}.new`, content);
  meanwhile.beforeOpen = () => renameSync(`${path}.new`, path);
  expect((await collect(await openInput(path))).equals(content)).toBe(true);
});

test('a pipe that replaces a file is opened before its writer', async () => {
  const path = join(await temporaryFolder(), 'file');
  await writeFile(path, '');
  const other = await pipe();
  meanwhile.beforeOpen = () => renameSync(other, path);
  const bytes = await openInput(path);
  const [read] = await Promise.all([collect(bytes), writeFile(path, content)]);
  expect(read.equals(content)).toBe(true);
});

test('a file that cannot be looked at is closed', async () => {
  const path = join(await temporaryFolder(), 'file');
  await writeFile(path, content);
  meanwhile.failsFstat = true;
  await expect(openInput(path)).rejects.toMatchObject({ code: 'IO' });
  const open = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(join('/proc/self/fd', fd)) === path;
    } catch {
      return false;
    }
  });
  expect(open).toEqual([]);
});

test('a folder is refused when it is opened, with how folders are named', async () => {
  const path = await temporaryFolder();
  await expect(openInput(path)).rejects.toMatchObject({
    code: 'IO',
    message: `${path} cannot be read: it is a folder (EISDIR)`,
    facts: { hint: expect.stringMatching(/oci:DIR.*tar -C DIR -cf FILE/) as string },
  });
});

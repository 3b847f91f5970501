import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileBytes } from '../../src/disk/file-bytes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { collect } from '../stream/sources.ts';

const content = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251));

async function opened() {
  const path = join(await temporaryFolder(), 'file');
  await writeFile(path, content);
  const handle = await open(path);
  return { handle, bytes: new FileBytes(handle) };
}

test('a file comes in chunks', async () => {
  const { bytes } = await opened();
  expect((await collect(bytes)).equals(content)).toBe(true);
});

test('a file fills the memory that is given, is closed at its end, and stays at it', async () => {
  const { handle, bytes } = await opened();
  const target = new Uint8Array(new SharedArrayBuffer(150_000));
  expect(await bytes.readInto(target)).toBe(150_000);
  expect(Buffer.from(target).equals(content.subarray(0, 150_000))).toBe(true);
  expect(await bytes.readInto(target)).toBe(50_000);
  expect(await bytes.readInto(target)).toBe(0);
  expect(await bytes.readInto(target)).toBe(0);
  expect(handle.fd).toBe(-1);
});

test('a file is closed when its reader leaves, after a read that has begun', async () => {
  const { handle, bytes } = await opened();
  const reading = bytes.readInto(Buffer.alloc(10));
  await bytes.return();
  expect(await reading).toBe(10);
  expect(await bytes.readInto(Buffer.alloc(10))).toBe(0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(handle.fd).toBe(-1);
});

test('an error of the file comes through, and closes it', async () => {
  const handle = await open(await temporaryFolder());
  await expect(collect(new FileBytes(handle))).rejects.toMatchObject({ code: 'EISDIR' });
  expect(handle.fd).toBe(-1);
});

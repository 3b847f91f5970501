import { expect, test } from 'vitest';
import { ByteReader } from '../../src/stream/byte-reader.ts';
import { CHUNKINGS, source } from './sources.ts';

const content = Buffer.from(Array.from({ length: 50 }, (_, i) => i));

/** One byte at a time, with empty chunks between. */
async function* holes(): AsyncGenerator<Uint8Array, void, undefined> {
  for (const byte of content) {
    yield new Uint8Array(0);
    yield Uint8Array.of(byte);
  }
}

/** One byte, then nothing for ever. */
async function* stuck(): AsyncGenerator<Uint8Array, void, undefined> {
  yield Uint8Array.of(1);
  await new Promise(() => {});
}

test.each(CHUNKINGS)('exact numbers of bytes come out, $name', async ({ size }) => {
  const reader = new ByteReader(source(content, size));
  expect([...(await reader.read(3))]).toEqual([0, 1, 2]);
  expect(await reader.skip(20)).toBe(20);
  expect([...(await reader.read(2))]).toEqual([23, 24]);
  expect((await reader.read(0)).length).toBe(0);
  expect(await reader.skip(20)).toBe(20);
  expect([...(await reader.read(20))]).toEqual([45, 46, 47, 48, 49]);
  expect((await reader.read(1)).length).toBe(0);
  expect(await reader.skip(1)).toBe(0);
});

test('empty chunks do not look like the end', async () => {
  expect((await new ByteReader(holes()).read(50)).length).toBe(50);
});

test('release does not wait for a chunk that the source still owes', async () => {
  const reader = new ByteReader(stuck());
  await reader.read(1);
  void reader.read(1);
  await expect(reader.release()).resolves.toBeUndefined();
});

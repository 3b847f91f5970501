import { describe, expect, test } from 'vitest';
import { ByteReader } from '../../src/stream/byte-reader.ts';
import { CHUNKINGS, collect, failure, FillingSource, source } from './sources.ts';

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

test('each chunk is shown as it comes from the source', async () => {
  const seen: number[] = [];
  const reader = new ByteReader(source(content, 20), ({ length }) => void seen.push(length));
  await reader.read(1);
  expect(seen).toEqual([20]);
  await collect(reader);
  expect(seen).toEqual([20, 20, 10]);
});

test('what was not read yet can be iterated over', async () => {
  const reader = new ByteReader(source(content, 7));
  await reader.read(10);
  expect((await collect(reader)).equals(content.subarray(10))).toBe(true);
});

describe('peek', () => {
  test.each([
    { size: 1, count: 10 },
    { size: 7, count: 10 },
    { size: 10, count: 10 },
    { size: Infinity, count: 10 },
    { size: 7, count: 0 },
    { size: 7, count: 50 },
    { size: 7, count: 51 },
  ])('shows $count bytes of chunks of $size and loses none', async ({ size, count }) => {
    const reader = new ByteReader(source(content, size));
    expect(Buffer.from(await reader.peek(count)).equals(content.subarray(0, count))).toBe(true);
    expect((await collect(reader)).equals(content)).toBe(true);
  });

  test('shows nothing of nothing', async () => {
    const reader = new ByteReader(source(Buffer.alloc(0)));
    expect((await reader.peek(10)).length).toBe(0);
    expect((await collect(reader)).length).toBe(0);
  });

  test('yields no empty chunk', async () => {
    const reader = new ByteReader(holes());
    await reader.peek(10);
    for await (const chunk of reader) expect(chunk.length).toBeGreaterThan(0);
  });

  test('releases the source when the reader is returned unread', async () => {
    const watched = source(content, 7);
    const reader = new ByteReader(watched);
    await reader.peek(10);
    await reader.return();
    expect(watched.closed).toBe(true);
  });

  test('releases the source when the consumer stops early', async () => {
    const watched = source(content, 7);
    const reader = new ByteReader(watched);
    await reader.peek(10);
    for await (const chunk of reader) if (chunk.length === 7) break;
    expect(watched.closed).toBe(true);
  });

  test('hands on an error of the source, before and after the head', async () => {
    const error = new Error('socket closed');
    await expect(new ByteReader(source(content, 7, error)).peek(51)).rejects.toBe(error);
    const reader = new ByteReader(source(content, 7, error));
    await reader.peek(10);
    expect(await failure(reader)).toBe(error);
  });
});

describe('readInto', () => {
  test.each(CHUNKINGS)('copies chunks into memory of the caller, $name', async ({ size }) => {
    const reader = new ByteReader(source(content, size));
    const target = Buffer.alloc(60);
    let filled = 0;
    for (let count = -1; count !== 0; filled += count) count = await reader.readInto(target.subarray(filled));
    expect(target.subarray(0, filled).equals(content)).toBe(true);
    expect(reader.fillsDirectly).toBe(false);
  });

  test('lets a source fill that memory, but for what was read ahead and for small reads', async () => {
    const bytes = Buffer.alloc(400_000, 'some content');
    const seen: number[] = [];
    const filling = new FillingSource(bytes);
    const reader = new ByteReader(filling, ({ length }) => void seen.push(length));
    expect((await reader.read(10)).length).toBe(10);
    const target = Buffer.alloc(300_000);
    expect(await reader.readInto(target)).toBe(65_526);
    expect(await reader.readInto(target.subarray(65_526))).toBe(234_474);
    expect(target.equals(bytes.subarray(10, 300_010))).toBe(true);
    expect((await reader.readInto(Buffer.alloc(5))) + (await reader.skip(1e6))).toBe(99_990);
    expect(filling.inChunks).toBe(65_536 + 99_990);
    expect(seen.reduce((sum, length) => sum + length)).toBe(400_000);
  });

  test('after the end, or a release, there is nothing', async () => {
    const reader = new ByteReader(new FillingSource(content));
    await reader.skip(60);
    expect(await reader.readInto(Buffer.alloc(100_000))).toBe(0);
    const other = new ByteReader(new FillingSource(content));
    await other.release();
    expect(await other.readInto(Buffer.alloc(100_000))).toBe(0);
  });
});

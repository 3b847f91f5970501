import { expect, test } from 'vitest';
import { PROCESS_MEMORY } from '../../src/ingest/block-memory.ts';
import type { Slot } from '../../src/ingest/slots.ts';
import { Slots } from '../../src/ingest/slots.ts';
import { contentWindows } from '../../src/stream/zstd-windows.ts';
import { CHUNKINGS, FillingSource, source } from '../stream/sources.ts';

const content = Buffer.from(Array.from({ length: 50 }, (_, i) => i));

async function cut(slots: Slots, bytes: AsyncIterable<Uint8Array>): Promise<number[][]> {
  const blocks = [];
  for await (const block of slots.blocks(bytes)) {
    blocks.push([...block.bytes]);
    block.release();
  }
  return blocks;
}

test.each(CHUNKINGS)('bytes are cut into blocks of one size, $name', async ({ size }) => {
  const blocks = await cut(new Slots(20, 40), source(content, size));
  expect(blocks.map((block) => block.length)).toEqual([20, 20, 10]);
  expect(blocks.flat()).toEqual([...content]);
});

test('bytes that fill their last block have no empty one after it', async () => {
  expect(await cut(new Slots(25, 25), source(content, 7))).toHaveLength(2);
});

test('no bytes are one empty block', async () => {
  expect(await cut(new Slots(20, 20), source(Buffer.alloc(0), 1))).toEqual([[]]);
});

test('no more is read than the budget holds, until a block is released', async () => {
  let read = 0;
  async function* counted(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let i = 0; i < 10; i++) {
      read += 10;
      yield content.subarray(0, 10);
    }
  }
  const blocks = new Slots(10, 35).blocks(counted());
  const taken: Slot[] = [];
  for (let i = 0; i < 3; i++) taken.push((await blocks.next()).value as Slot);
  let isHere = false;
  const next = blocks.next().then(() => (isHere = true));
  await new Promise((resolve) => setImmediate(resolve));
  // The chunk that found no room is the only one that was read beyond.
  expect({ read, isHere }).toEqual({ read: 40, isHere: false });
  taken[1]?.release();
  await next;
  expect(read).toBe(40);
});

test('a budget smaller than a block is one block', async () => {
  expect(await cut(new Slots(20, 5), source(content, 50))).toHaveLength(3);
});

test('a source that fails gives its room back', async () => {
  const slots = new Slots(20, 20);
  async function* failing(): AsyncGenerator<Uint8Array, void, undefined> {
    yield content.subarray(0, 5);
    throw new Error('cut off');
  }
  await expect(cut(slots, failing())).rejects.toThrow('cut off');
  expect(await cut(slots, source(content, 50))).toHaveLength(3);
});

test.each([
  [0, [0]],
  [20, [20]],
  [50, [20, 20, 10]],
])('a source of %i bytes that can fill memory fills the blocks', async (size, lengths) => {
  for (const step of [7, Infinity]) {
    const filling = new FillingSource(content.subarray(0, size), step);
    const blocks = await cut(new Slots(20, 20), filling);
    expect(blocks.map((block) => block.length)).toEqual(lengths);
    expect(blocks.flat()).toEqual([...content.subarray(0, size)]);
    expect(filling.inChunks).toBe(0);
  }
});

test('a source that fails while it fills a block gives its room back', async () => {
  const slots = new Slots(20, 20);
  const broken = new FillingSource(content.subarray(0, 25), 10, new Error('cut off'));
  await expect(cut(slots, broken)).rejects.toThrow('cut off');
  expect(await cut(slots, new FillingSource(content))).toHaveLength(3);
});

test('memory that a failed source may still write into is not used again', async () => {
  const slots = new Slots(20, 20);
  let late: Uint8Array | undefined;
  const aborted = Object.assign(source(content, 50), {
    fillsDirectly: true,
    readInto: async (target: Uint8Array): Promise<number> => {
      late = target;
      throw new Error('stopped');
    },
  });
  await expect(cut(slots, aborted)).rejects.toThrow('stopped');
  const blocks = [];
  for await (const block of slots.blocks(source(content, 50))) {
    late?.fill(0xff);
    blocks.push(...block.bytes);
    block.release();
  }
  expect(blocks).toEqual([...content]);
});

test('memory that was filled is used again', async () => {
  const slots = new Slots(20, 20);
  const memories = new Set<ArrayBufferLike>();
  for await (const block of slots.blocks(new FillingSource(content))) {
    memories.add(block.bytes.buffer);
    block.release();
  }
  expect(memories.size).toBe(1);
});

test('sources that wait while they hold a part of a block leave a block to each other', async () => {
  const slots = new Slots(20, 20);
  let go: (() => void) | undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  async function* waiting(): AsyncGenerator<Uint8Array, void, undefined> {
    yield content.subarray(0, 5);
    await gate;
    yield content.subarray(5, 10);
  }
  const blocked = [cut(slots, waiting()), cut(slots, waiting())];
  await new Promise((resolve) => setImmediate(resolve));
  expect(await cut(slots, source(content, 7))).toHaveLength(3);
  go?.();
  expect((await Promise.all(blocked)).map((blocks) => blocks.length)).toEqual([1, 1]);
});

test('beside a large window there are fewer blocks', async () => {
  const MIB = 1024 * 1024;
  const release = await contentWindows().take(128 * MIB);
  const blocks = new Slots(MIB, 32 * MIB, { memory: PROCESS_MEMORY }).blocks(
    source(Buffer.alloc(2 * MIB), MIB),
  );
  const first = await blocks.next();
  let isHere = false;
  const next = blocks.next().then(() => (isHere = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isHere).toBe(false);
  release();
  first.value?.release();
  await next;
});

test('a source that waits for a block gets the memory of one that was released', async () => {
  const used = new Set<unknown>();
  let last: Slot | undefined;
  for await (const block of new Slots(1, 2).blocks(source(content, 1))) {
    used.add(block.bytes.buffer);
    const before = last;
    last = block;
    // It is released while the source waits.
    if (before !== undefined) setImmediate(() => before.release());
  }
  expect(used.size).toBe(2);
});

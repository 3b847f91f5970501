import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BlockMemory } from '../../src/ingest/block-memory.ts';
import { chooseCodec } from '../../src/ingest/codec.ts';
import { availableCores } from '../../src/ingest/cores.ts';
import { BlockHash, fileDigesters } from '../../src/ingest/hash.ts';
import { hashMany } from '../../src/ingest/hash-many.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import type { Slot } from '../../src/ingest/slots.ts';
import { Slots } from '../../src/ingest/slots.ts';
import { Thread } from '../../src/ingest/thread.ts';
import { ThreadPool, Threads } from '../../src/ingest/threads.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { save } from '../../src/verbs/save/save.ts';
import { imageConfig, json } from '../support/archives/images.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { MemoryContent } from '../support/memory-content.ts';

const MIB = 1024 * 1024;
const BLOCK = Buffer.alloc(MIB, 'block');
const hint = { entry: 'layer.tar', size: 0 };

let started = 0;
const countThread = (): void => void started++;
beforeEach(() => {
  started = 0;
  process.on('worker', countThread);
});
afterEach(() => void process.off('worker', countThread));

/** A pool whose threads are counted. */
function pool(): { pool: ThreadPool; threads: Thread[] } {
  const threads: Thread[] = [];
  const start = (): Thread => {
    const thread = new Thread();
    threads.push(thread);
    return thread;
  };
  return { pool: new ThreadPool(start), threads };
}

async function* bytesOf(total: number, onRead?: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < total; sent += MIB) {
    onRead?.(MIB);
    yield BLOCK;
    await setImmediate();
  }
}

/** A sink that stores nothing until it is let. */
function stalled(until: Promise<unknown>): MemoryContent {
  const content = new MemoryContent();
  const begin = content.begin.bind(content);
  content.begin = async (options) => {
    const writer = await begin(options);
    const write = writer.write.bind(writer);
    return Object.assign(writer, {
      write: async (chunk: Uint8Array) => {
        await until;
        await write(chunk);
      },
    });
  };
  return content;
}

test('saves and proofs at a time start no more threads than there are cores', async () => {
  const codec = chooseCodec('gzip');
  const cores = Math.max(2, availableCores());
  const ingests = Array.from({ length: 3 }, () =>
    createIngest(new MemoryContent(), { codec, concurrency: cores }),
  );
  const hashes = hashMany(
    [1, 2, 3, 4],
    () => 1,
    async (_, threads) => {
      const hash = new BlockHash(threads);
      for (let i = 0; i < 8; i++) await hash.update(BLOCK);
      await hash.digest();
    },
    { concurrency: cores },
  );
  const layers = ingests.flatMap(({ layer }) => [
    layer(bytesOf(8 * MIB), hint),
    layer(bytesOf(8 * MIB), hint),
  ]);
  await Promise.all([...layers, hashes]);
  for (const ingest of ingests) await ingest[Symbol.asyncDispose]();
  expect(started).toBeGreaterThan(1);
  expect(started).toBeLessThanOrEqual(cores);
});

test('saves of the library at a time have no more threads than one', async () => {
  const layers = ['a', 'b', 'c'].map((text) => tar(entry('file', Buffer.alloc(4 * MIB, text))));
  const names = layers.map((_, i) => `${i}/layer.tar`);
  const manifest = [{ Config: 'config.json', RepoTags: ['app:1'], Layers: names }];
  const archive = tar(
    ...layers.map((layer, i) => entry(names[i] ?? '', layer)),
    entry('config.json', imageConfig(layers)),
    entry('manifest.json', json(manifest)),
  );
  const saves = Array.from({ length: 3 }, async () => {
    const from = { archive: Readable.from([archive]) };
    return save({ from, to: new MemoryStore(), concurrency: 2, compress: 'gzip' });
  });
  for (const { images } of await Promise.all(saves)) expect(images[0]?.layers).toHaveLength(3);
  expect(started).toBe(2);
});

test('a save has no more threads than it asked for, beside one that has more', async () => {
  const { pool: shared, threads } = pool();
  await using many = new Threads(4, shared);
  await using few = new Threads(1, shared);
  const hashes = [many, few, few, few].map((user) => new BlockHash(user));
  for (const hash of hashes) await hash.update(BLOCK);
  expect(threads).toHaveLength(2);
  await Promise.all(hashes.map((hash) => hash.digest()));
});

test('the threads end with the last who uses them', async () => {
  const { pool: shared, threads } = pool();
  const users = [new Threads(2, shared), new Threads(2, shared)];
  for (const user of users) {
    const hash = new BlockHash(user);
    await hash.update(BLOCK);
    await hash.digest();
  }
  await users[0]?.[Symbol.asyncDispose]();
  expect(threads.map(({ isOver }) => isOver)).toEqual([false]);
  await users[1]?.[Symbol.asyncDispose]();
  expect(threads.map(({ isOver }) => isOver)).toEqual([true]);
});

test('one that is aborted ends what it reads, and leaves the thread to the others', async () => {
  const { pool: shared, threads } = pool();
  await using other = new Threads(1, shared);
  const hash = new BlockHash(other);
  await hash.update(BLOCK);
  const aborted = new Threads(1, shared);
  const endless = fileDigesters(aborted)('/dev/zero');
  endless.grown(Number.MAX_SAFE_INTEGER);
  const due = expect(endless.digest()).rejects.toThrow('enough');
  await aborted.close(new Error('enough'));
  await due;
  expect(threads).toHaveLength(1);
  await hash.update(BLOCK);
  expect(await hash.digest()).toBe(digestOf(Buffer.concat([BLOCK, BLOCK])));
});

test('a thread that died is not used by those who come later', async () => {
  const { pool: shared, threads } = pool();
  await using user = new Threads(1, shared);
  const hash = new BlockHash(user);
  await hash.update(BLOCK);
  await threads[0]?.end(new Error('died'));
  await hash.drop();
  const next = new BlockHash(user);
  await next.update(BLOCK);
  expect(await next.digest()).toBe(digestOf(BLOCK));
});

test('saves whose sinks stall have read no more than one budget, and two blocks each', async () => {
  const codec = chooseCodec('gzip');
  const gate = new AbortController();
  const released = once(gate.signal, 'abort');
  const saves = 4;
  let read = 0;
  const ingests = Array.from({ length: saves }, () =>
    createIngest(stalled(released), { codec, concurrency: 2 }),
  );
  const layers = ingests.map(({ layer }) =>
    layer(
      bytesOf(64 * MIB, (bytes) => (read += bytes)),
      hint,
    ),
  );
  for (let before = -1; before !== read;) {
    before = read;
    for (let i = 0; i < 200; i++) await setImmediate();
  }
  // The first chunk that found no room was read, too, for each, and one that was looked at.
  const most = 32 * MIB + saves * (2 * codec.blockSize + 2 * MIB);
  expect(read).toBeGreaterThan(16 * MIB);
  expect(read).toBeLessThanOrEqual(most);
  gate.abort();
  await Promise.all(layers);
  for (const ingest of ingests) await ingest[Symbol.asyncDispose]();
  expect(read).toBe(saves * 64 * MIB);
});

/** Takes what it gets, of so many blocks. */
async function takeAll(slots: Slots, count: number): Promise<Slot[]> {
  const taken: Slot[] = [];
  void (async () => {
    for await (const slot of slots.blocks(Readable.from(Array(count).fill(Buffer.alloc(10)))))
      taken.push(slot);
  })();
  await settled();
  return taken;
}

async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await setImmediate();
}

test('two who share a memory come to hold the same part of it, and one that ends leaves it to the other', async () => {
  const memory = new BlockMemory();
  const first = new Slots(10, 80, { memory });
  const ofFirst = await takeAll(first, 8);
  expect(ofFirst).toHaveLength(8);
  const second = new Slots(10, 80, { memory });
  const ofSecond = await takeAll(second, 12);
  expect(ofSecond).toHaveLength(1);
  for (const slot of ofFirst.slice(0, 4)) slot.release();
  await settled();
  expect([ofFirst.length, ofSecond.length]).toEqual([8, 4]);
  for (const slot of ofFirst.slice(4)) slot.release();
  first.close();
  await settled();
  expect(ofSecond).toHaveLength(8);
});

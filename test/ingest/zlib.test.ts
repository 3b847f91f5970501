import { randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { Thread } from '../../src/ingest/thread.ts';
import { ThreadPool, Threads } from '../../src/ingest/threads.ts';
import { zlibOn } from '../../src/ingest/zlib.ts';
import type { Compression } from '../../src/oci/media-types.ts';
import { CODECS } from '../../src/stream/codecs.ts';
import type { ZlibCall } from '../../src/stream/codec.ts';

const started: Thread[] = [];

function threads(max: number, source?: string): Threads {
  const start = (): Thread => {
    const thread = new Thread(source);
    started.push(thread);
    return thread;
  };
  return new Threads(max, new ThreadPool(start));
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((thread) => thread.end(new Error('the test is over'))));
});

/** A block as the ingest has them: in shared memory. */
function shared(bytes: Uint8Array): Uint8Array {
  const block = new Uint8Array(new SharedArrayBuffer(bytes.length));
  block.set(bytes);
  return block;
}

const MIB = 1024 * 1024;
const CALL: ZlibCall = { name: 'gzipSync', options: { level: 1, chunkSize: 2 * MIB } };
const writable = (['gzip', 'zstd'] as const).filter((name) => CODECS[name].compressor(1) !== undefined);

describe.each<Compression>(writable)('%s', (name) => {
  const contents: [string, Uint8Array][] = [
    ['text', Buffer.alloc(CODECS[name].blockSize, 'some line of text\n')],
    ['noise, which does not shrink', randomBytes(CODECS[name].blockSize)],
    ['half a block', Buffer.alloc(CODECS[name].blockSize >> 1, 'x')],
  ];

  test.each(contents)('makes the same bytes on a thread as here: %s', async (_, content) => {
    const compress = CODECS[name].compressor(1);
    const block = shared(content);
    const there = await compress?.(block, zlibOn(threads(2)));
    const here = await compress?.(block, zlibOn(undefined));
    expect(started).toHaveLength(1);
    expect(Buffer.concat([...(there ?? [])]).equals(Buffer.concat([...(here ?? [])]))).toBe(true);
    // Nothing was made in parts and joined.
    expect(there?.every((chunk) => chunk.buffer.byteLength > chunk.length || chunk.length < 64)).toBe(true);
  });
});

test.each(writable.filter((name) => name === 'zstd'))(
  'a block of %s is one frame, whose window is the block',
  async (name) => {
    const compress = CODECS[name].compressor(1);
    const [frame = Buffer.of()] = (await compress?.(shared(randomBytes(4 * MIB)), zlibOn(undefined))) ?? [];
    // RFC 8878, section 3.1.1: the magic, a descriptor with the single segment flag, and the content size.
    expect(Buffer.from(frame.subarray(0, 9)).toString('hex')).toBe('28b52ffda000004000');
  },
);

test('a small block starts no thread', async () => {
  const pool = threads(2);
  await zlibOn(pool)(CALL, shared(new Uint8Array(256 * 1024 - 1)));
  expect(started).toEqual([]);
  await zlibOn(pool)(CALL, shared(new Uint8Array(256 * 1024)));
  expect(started).toHaveLength(1);
});

test('blocks at the same time use as many threads as there may be, and no more', async () => {
  const call = zlibOn(threads(6));
  const made = await Promise.all(Array.from({ length: 9 }, () => call(CALL, shared(new Uint8Array(MIB)))));
  expect(made.map((bytes) => zlib.gunzipSync(bytes).length)).toEqual(Array.from({ length: 9 }, () => MIB));
  expect(started).toHaveLength(6);
});

test('a thread that dies, or cannot do it, is an error', async () => {
  const dying = zlibOn(threads(2, 'throw new Error("no memory")'));
  await expect(dying(CALL, shared(new Uint8Array(MIB)))).rejects.toMatchObject({ code: 'IO' });
  const bad = { name: 'gzipSync', options: { level: 77, chunkSize: MIB } } as const;
  await expect(zlibOn(threads(2))(bad, shared(new Uint8Array(MIB)))).rejects.toMatchObject({
    code: 'IO',
    message: expect.stringContaining('level'),
  });
});

test('a pool that is closed ends with its reason', async () => {
  const pool = threads(2);
  const call = zlibOn(pool);
  const pending = call(CALL, shared(new Uint8Array(MIB)));
  const reason = new Error('stopped');
  await pool.close(reason);
  await expect(pending).rejects.toBe(reason);
  await expect(call(CALL, shared(new Uint8Array(MIB)))).rejects.toBe(reason);
});

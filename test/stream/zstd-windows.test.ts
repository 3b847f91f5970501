import { expect, test } from 'vitest';
import type { Block } from './zstd-bytes.ts';
import { BLOCK, blocks, frameHeader, sizedFrame, zeros } from './zstd-bytes.ts';
import { collect } from './sources.ts';
import { once } from '../../src/stream/tap.ts';
import { unzstd } from '../../src/stream/unzstd.ts';
import { zstdFrames } from '../../src/stream/zstd-frames.ts';
import { decodeFramePortably } from '../../src/stream/zstd-portable.ts';
import { withOwnWindow } from '../../src/stream/zstd-small-frame.ts';
import { windowsOf } from '../../src/stream/zstd-windows.ts';

const MIB = 1024 * 1024;

const take = async (size: number): Promise<() => void> => windowsOf('layer').take(size);

test('windows together have the memory of the largest one, in the order of the requests', async () => {
  const order: string[] = [];
  const [a, b] = [await take(64 * MIB), await take(64 * MIB)];
  const large = take(128 * MIB).then((release) => {
    order.push('large');
    return release;
  });
  const small = take(1).then((release) => {
    order.push('small');
    return release;
  });
  a();
  await Promise.resolve();
  expect(order).toEqual([]);
  b();
  (await large)();
  (await small)();
  expect(order).toEqual(['large', 'small']);
  (await take(128 * MIB))();
});

test.each([
  [128, 8],
  [64, 72],
  [1, 128],
])('a container with a window of %d MiB leaves %d MiB to its content', async (own, left) => {
  const archive = windowsOf('the archive', { isContainer: true });
  await archive.take(own * MIB);
  await expect(take(left * MIB + 1)).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    facts: { expected: left * MIB },
  });
  const within = await take(left * MIB);
  const next = take(left * MIB);
  within();
  (await next)();
  archive.end();
  (await take(128 * MIB))();
});

test('a container keeps the window of its first frame, and needs none that is larger', async () => {
  const archive = windowsOf('the archive', { isContainer: true });
  await archive.take(1);
  await archive.take(8 * MIB);
  await expect(archive.take(8 * MIB + 1)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  archive.end();
});

test('a container waits for the one before it, and for content that waits', async () => {
  const [first, second] = [1, 2].map((n) => windowsOf(`archive ${n}`, { isContainer: true }));
  await first!.take(8 * MIB);
  const order: string[] = [];
  const waiting = second!.take(8 * MIB).then(() => order.push('second'));
  const held = await take(100 * MIB);
  const content = take(100 * MIB).then((release) => {
    order.push('content');
    return release;
  });
  first!.end();
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual([]);
  held();
  const release = await content;
  await waiting;
  expect(order).toHaveLength(2);
  release();
  second!.end();
});

/** One frame of raw blocks with a window of this size. */
function framed(bytes: Buffer, windowLog: number): Buffer {
  const count = Math.ceil(bytes.length / BLOCK);
  const raw = Array.from({ length: count }, (_, i) => bytes.subarray(i * BLOCK, (i + 1) * BLOCK));
  return Buffer.concat([frameHeader({ windowLog }), blocks(...raw)]);
}

test.each([
  [27, 23],
  [26, 26],
  [23, 26],
  [27, 20],
])('a frame is decompressed while the frame around it is: 2^%d, 2^%d', async (outer, inner) => {
  const content = Buffer.alloc(3_000_000, 'x');
  const around = unzstd(once(framed(framed(content, inner), outer)), 'archive', decodeFramePortably, {
    isContainer: true,
  });
  expect((await collect(unzstd(around, 'layer', decodeFramePortably))).equals(content)).toBe(true);
});

test('archives whose layers span their frames end, side by side', async () => {
  const content = Buffer.alloc(3_000_000, 'x');
  const layer = framed(content, 26);
  const half = layer.length / 2;
  const archive = Buffer.concat([framed(layer.subarray(0, half), 26), framed(layer.subarray(half), 26)]);
  const read = async (): Promise<Buffer> => {
    const tar = unzstd(once(archive), 'archive', decodeFramePortably, { isContainer: true });
    return collect(unzstd(tar, 'layer', decodeFramePortably));
  };
  const all = await Promise.all(Array.from({ length: 4 }, read));
  expect(all.every((one) => one.equals(content))).toBe(true);
});

test('an archive that is not read to its end frees its memory', async () => {
  const archive = framed(Buffer.alloc(3_000_000, 'x'), 27);
  for (let i = 0; i < 3; i++) {
    for await (const _ of unzstd(once(archive), 'archive', undefined, { isContainer: true })) break;
  }
  (await take(128 * MIB))();
});

/** A frame whose header states a window of 128 MiB. */
function wide(...content: Block[]): Buffer {
  return Buffer.concat([frameHeader({ windowLog: 27 }), blocks(...content)]);
}

test.each<[string, Buffer, number]>([
  ['an empty one', wide(new Uint8Array(0)), 1024],
  ['a small one', wide(new Uint8Array(5000)), 8192],
  ['one of a repeated byte', wide({ byte: 1, times: BLOCK }), BLOCK],
  ['a large one', wide(...zeros(10 * BLOCK)), 128 * MIB],
  ['one that states its size', sizedFrame(3000, new Uint8Array(3000)), 4096],
])('the window of a frame is no larger than its content: %s', async (_what, bytes, windowSize) => {
  for await (const frame of zstdFrames(once(bytes), 'layer')) {
    const own = await withOwnWindow(frame);
    expect(own.header.windowSize).toBe(windowSize);
    const pieces: Uint8Array[] = [];
    for await (const piece of own.pieces) pieces.push(piece.bytes);
    const same = Buffer.concat(pieces);
    expect(same.subarray(6).equals(bytes.subarray(6))).toBe(true);
  }
  const expected = await collect(unzstd(once(bytes), 'layer'));
  const portable = await collect(unzstd(once(bytes), 'layer', decodeFramePortably));
  expect(portable.equals(expected)).toBe(true);
});

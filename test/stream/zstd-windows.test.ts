import { expect, test } from 'vitest';
import type { Block } from './zstd-bytes.ts';
import { BLOCK, blocks, frameHeader, sizedFrame, zeros } from './zstd-bytes.ts';
import { collect } from './sources.ts';
import { once } from '../../src/stream/tap.ts';
import { unzstd } from '../../src/stream/unzstd.ts';
import { zstdFrames } from '../../src/stream/zstd-frames.ts';
import { decodeFramePortably } from '../../src/stream/zstd-portable.ts';
import { withOwnWindow } from '../../src/stream/zstd-small-frame.ts';
import { takeWindow } from '../../src/stream/zstd-windows.ts';

const MIB = 1024 * 1024;

test('windows together have the memory of the largest one, in the order of the requests', async () => {
  const order: string[] = [];
  const [a, b] = [await takeWindow(64 * MIB, 'layer'), await takeWindow(64 * MIB, 'layer')];
  const large = takeWindow(128 * MIB, 'layer').then((release) => {
    order.push('large');
    return release;
  });
  const small = takeWindow(1, 'layer').then((release) => {
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
  (await takeWindow(128 * MIB, 'layer'))();
});

test('a container and its content do not wait for each other', async () => {
  const held = await takeWindow(128 * MIB, 'the archive', { isContainer: true });
  const within = [await takeWindow(64 * MIB, 'layer')];
  await expect(takeWindow(64 * MIB + 1, 'layer')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  const next = takeWindow(64 * MIB, 'layer');
  within[0]?.();
  (await next)();
  held();
  const small = await takeWindow(64 * MIB, 'the archive', { isContainer: true });
  (await takeWindow(128 * MIB, 'layer'))();
  small();
});

/** One frame of raw blocks with a window of this size. */
function framed(bytes: Buffer, windowLog: number): Buffer {
  const count = Math.ceil(bytes.length / BLOCK);
  const raw = Array.from({ length: count }, (_, i) => bytes.subarray(i * BLOCK, (i + 1) * BLOCK));
  return Buffer.concat([frameHeader({ windowLog }), blocks(...raw)]);
}

test.each([
  [27, 26],
  [26, 27],
  [27, 20],
])('a frame is decompressed while the frame around it is: 2^%d, 2^%d', async (outer, inner) => {
  const content = Buffer.alloc(3_000_000, 'x');
  const around = unzstd(once(framed(framed(content, inner), outer)), 'archive', decodeFramePortably, {
    isContainer: true,
  });
  expect((await collect(unzstd(around, 'layer', decodeFramePortably))).equals(content)).toBe(true);
});

test('a request that waits comes to its turn, also when there is less memory by then', async () => {
  const first = await takeWindow(1, 'layer');
  const large = takeWindow(128 * MIB, 'layer');
  const held = await takeWindow(64 * MIB, 'the archive', { isContainer: true });
  first();
  (await large)();
  held();
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

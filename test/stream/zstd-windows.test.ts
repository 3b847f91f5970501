import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Block } from './zstd-bytes.ts';
import { BLOCK, blocks, frameHeader, framed, sizedFrame, zeros } from './zstd-bytes.ts';
import { collect } from './sources.ts';
import { once, tap } from '../../src/stream/tap.ts';
import { unzstd } from '../../src/stream/unzstd.ts';
import { zstdFrames } from '../../src/stream/zstd-frames.ts';
import { decodeFramePortably } from '../../src/stream/zstd-portable.ts';
import { withOwnWindow } from '../../src/stream/zstd-small-frame.ts';
import {
  ContainerWindows,
  contentWindows,
  WINDOW_MEMORY,
  windowsInUse,
} from '../../src/stream/zstd-windows.ts';

const MIB = 1024 * 1024;

const take = async (size: number): Promise<() => void> => contentWindows().take(size);

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

test('a container with a common window leaves the largest one to its content', async () => {
  const archive = new ContainerWindows('the archive');
  await archive.take(8 * MIB);
  expect(archive.isLarge).toBe(false);
  const within = await take(128 * MIB);
  const next = take(128 * MIB);
  within();
  (await next)();
  archive.end();
});

test('a container with a large window holds none when it has been decompressed', async () => {
  const archive = new ContainerWindows('the archive');
  const within = await take(1);
  const frame = archive.take(128 * MIB);
  within();
  (await frame)();
  expect([archive.isLarge, windowsInUse()]).toEqual([true, 0]);
  archive.end();
});

test('a container whose first window is small needs no large one', async () => {
  const archive = new ContainerWindows('the archive');
  await archive.take(1);
  await archive.take(8 * MIB);
  await expect(archive.take(8 * MIB + 1)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  archive.end();
  expect(windowsInUse()).toBe(0);
});

test('a container waits for the one before it, and for no content', async () => {
  const [first, second] = [1, 2].map((n) => new ContainerWindows(`archive ${n}`));
  await first!.take(8 * MIB);
  const order: string[] = [];
  const waiting = second!.take(8 * MIB).then(() => void order.push('second'));
  const held = await take(128 * MIB);
  const content = take(100 * MIB).then((release) => {
    order.push('content');
    return release;
  });
  first!.end();
  await waiting;
  expect(order).toEqual(['second']);
  held();
  (await content)();
  second!.end();
});

/** Keeps bytes until it has all of them. */
async function* putAside(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield await collect(bytes);
}

test.each([
  [27, 27],
  [27, 23],
  [26, 26],
  [23, 27],
  [23, 26],
  [27, 20],
])('a frame is decompressed while the frame around it is: 2^%d, 2^%d', async (outer, inner) => {
  const content = Buffer.alloc(3_000_000, 'x');
  const bytes = once(framed(framed(content, inner), outer));
  const around = unzstd(bytes, 'archive', decodeFramePortably, { putAside });
  let most = 0;
  const measured = tap(around, () => void (most = Math.max(most, windowsInUse())));
  expect((await collect(unzstd(measured, 'layer', decodeFramePortably))).equals(content)).toBe(true);
  expect([most > 0, most <= WINDOW_MEMORY, windowsInUse()]).toEqual([outer === 23, true, 0]);
});

test('content of elsewhere waits for a large frame, and is decompressed while the archive is open', async () => {
  const content = Buffer.alloc(3_000_000, 'x');
  const [archive, layer] = [framed(content, 27), framed(content, 27)];
  let goOn: (() => void) | undefined;
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  async function* inTwoParts(): AsyncGenerator<Uint8Array> {
    yield archive.subarray(0, -BLOCK);
    await gate;
    yield archive.subarray(-BLOCK);
  }
  const decoded = unzstd(inTwoParts(), 'archive', decodeFramePortably, { putAside });
  const elsewhere = async (): Promise<Buffer> => collect(unzstd(once(layer), 'layer', decodeFramePortably));
  const first = decoded.next();
  await setImmediate();
  const ended: string[] = [];
  const early = elsewhere().finally(() => ended.push('layer'));
  // Its source has all its bytes: only the memory is lacking.
  await setImmediate();
  expect([ended, windowsInUse()]).toEqual([[], 128 * MIB]);
  goOn?.();
  expect((await first).value?.length).toBe(content.length);
  expect((await early).equals(content)).toBe(true);
  expect((await elsewhere()).equals(content)).toBe(true);
  await decoded.return();
  expect(windowsInUse()).toBe(0);
});

test('archives whose layers span their frames end, side by side', async () => {
  const content = Buffer.alloc(3_000_000, 'x');
  const layer = framed(content, 26);
  const half = layer.length / 2;
  const archive = Buffer.concat([framed(layer.subarray(0, half), 26), framed(layer.subarray(half), 26)]);
  const read = async (): Promise<Buffer> => {
    const tar = unzstd(once(archive), 'archive', decodeFramePortably, { putAside });
    return collect(unzstd(tar, 'layer', decodeFramePortably));
  };
  const all = await Promise.all(Array.from({ length: 4 }, read));
  expect(all.every((one) => one.equals(content))).toBe(true);
});

/** Keeps the first bytes, and drops the others. */
async function* drop(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) {
    yield chunk;
    return;
  }
}

test('an archive that is not read to its end frees its memory', async () => {
  for (const windowLog of [27, 23, 27, 23]) {
    const archive = framed(Buffer.alloc(3_000_000, 'x'), windowLog);
    for await (const _ of unzstd(once(archive), 'archive', undefined, { putAside: drop })) break;
  }
  (await take(128 * MIB))();
});

/** Fails before it reads. */
async function* full(): AsyncGenerator<Uint8Array> {
  yield await Promise.reject(new Error('no space'));
}

test('an archive that cannot be put aside frees its memory, and its source', async () => {
  let isReleased = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield framed(Buffer.alloc(3_000_000, 'x'), 27);
    } finally {
      isReleased = true;
    }
  }
  const decoded = unzstd(source(), 'archive', decodeFramePortably, { putAside: full });
  await expect(collect(decoded)).rejects.toThrow('no space');
  expect([isReleased, windowsInUse()]).toEqual([true, 0]);
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

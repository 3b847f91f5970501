import { expect, test } from 'vitest';
import { zstdFrames } from '../../src/stream/zstd-frames.ts';
import { CHUNKINGS, source } from './sources.ts';
import { blocks, frame, sizedFrame, skippable } from './zstd-bytes.ts';
import { HELLO_CHECKSUM, HELLO_LONG27, HELLO_ZST, LINES_ZST } from './zstd-fixtures.ts';

const abc = Buffer.from('abc');
const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

test.each([
  { name: 'none', input: frame(abc), contentSize: undefined },
  { name: 'one byte', input: HELLO_ZST, contentSize: 35 },
  {
    name: 'one byte of zero',
    input: Buffer.concat([magic, Buffer.from([0x20, 0]), blocks(Buffer.alloc(0))]),
    contentSize: 0,
  },
  {
    name: 'two bytes, from 256 on',
    input: Buffer.concat([magic, Buffer.from([0x40, 0x38, 1, 0]), blocks(abc)]),
    contentSize: 257,
  },
  {
    name: 'four bytes',
    input: Buffer.concat([magic, Buffer.from([0x80, 0x38, 1, 2, 3, 0xf0]), blocks(abc)]),
    contentSize: 0xf0030201,
  },
  { name: 'eight bytes', input: sizedFrame(0x12_3456_789an, abc), contentSize: 0x12_3456_789a },
  {
    name: 'one byte after a dictionary id of zero',
    input: Buffer.concat([magic, Buffer.from([0x21, 0, 3]), blocks(abc)]),
    contentSize: 3,
  },
])('the content size is read without decompressing: $name', async ({ input, contentSize }) => {
  const sizes: (number | undefined)[] = [];
  for await (const { header } of zstdFrames(source(input), 'layer')) sizes.push(header.contentSize);
  expect(sizes).toEqual([contentSize]);
});

test.each([
  { name: 'a window of its own', input: HELLO_LONG27, windowSize: 2 ** 27, hasChecksum: true },
  { name: 'a single segment', input: HELLO_CHECKSUM, windowSize: 35, hasChecksum: true },
  { name: 'no checksum', input: HELLO_ZST, windowSize: 35, hasChecksum: false },
  {
    name: 'a window between powers of two',
    input: Buffer.concat([magic, Buffer.from([0, 0x0b]), blocks(abc)]),
    windowSize: 2048 + 3 * 256,
    hasChecksum: false,
  },
])('the header is read: $name', async ({ input, windowSize, hasChecksum }) => {
  for await (const { header } of zstdFrames(source(input), 'layer'))
    expect(header).toMatchObject({ windowSize, hasChecksum });
});

test.each(CHUNKINGS)('the pieces of a frame are the frame, $name', async ({ size }) => {
  const input = Buffer.concat([skippable(abc), HELLO_CHECKSUM, skippable(abc), LINES_ZST]);
  const found: Buffer[] = [];
  for await (const { pieces } of zstdFrames(source(input, size), 'layer')) {
    const parts: Uint8Array[] = [];
    let ended = 0;
    for await (const piece of pieces) {
      parts.push(piece.bytes);
      ended += Number(piece.last);
    }
    expect(ended).toBe(1);
    found.push(Buffer.concat(parts));
  }
  expect(found).toEqual([HELLO_CHECKSUM, LINES_ZST]);
});

test('pieces that are left unread are skipped', async () => {
  let frames = 0;
  for await (const { pieces } of zstdFrames(
    source(Buffer.concat([LINES_ZST, LINES_ZST, HELLO_ZST]), 7),
    'layer',
  )) {
    await pieces.next();
    frames += 1;
  }
  expect(frames).toBe(3);
});

test('a consumer that stops early releases the source', async () => {
  const watched = source(Buffer.concat([LINES_ZST, LINES_ZST]), 7);
  for await (const { header } of zstdFrames(watched, 'layer')) if (header.hasChecksum) break;
  expect(watched.closed).toBe(true);
});

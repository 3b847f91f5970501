import { describe, expect, test } from 'vitest';
import { isDrayageError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { runtimeFrameDecoder, unzstd } from '../../src/stream/unzstd.ts';
import type { DecodeFrame } from '../../src/stream/zstd-frames.ts';
import { decodeFramePortably } from '../../src/stream/zstd-portable.ts';
import { nativeZstd } from '../../src/stream/zstd-runtime.ts';
import { CHUNKINGS, collect, failure, source, until } from './sources.ts';
import {
  BLOCK,
  blockHeader,
  blocks,
  frame,
  frameHeader,
  sizedFrame,
  skippable,
  zeros,
} from './zstd-bytes.ts';
import {
  CHUNKED_DIFF_ID,
  CHUNKED_ZST,
  HELLO,
  HELLO_CHECKSUM,
  HELLO_LONG27,
  HELLO_LONG28,
  HELLO_ZST,
  LINES,
  LINES_ZST,
  PZSTD_ZEROS,
} from './zstd-fixtures.ts';

const abc = Buffer.from('abc');
const TINY = Array.from({ length: 300 }, (_, i) => Buffer.from(`frame ${i}\n`));
const MIB5 = 5_000_000;

const DECODERS: { decoder: string; decode: DecodeFrame }[] = [
  { decoder: 'this Node', decode: runtimeFrameDecoder() },
  { decoder: 'the portable one', decode: decodeFramePortably },
];

const VALID: { name: string; input: Buffer; output: Buffer }[] = [
  { name: 'no bytes at all', input: Buffer.from(''), output: Buffer.from('') },
  { name: 'a frame without content', input: frame(Buffer.from('')), output: Buffer.from('') },
  {
    name: 'a frame that says it has no content',
    input: sizedFrame(0, Buffer.from('')),
    output: Buffer.from(''),
  },
  { name: 'content size and checksum', input: HELLO_CHECKSUM, output: HELLO },
  { name: 'content size, no checksum', input: HELLO_ZST, output: HELLO },
  { name: 'a window of 128 MiB', input: HELLO_LONG27, output: HELLO },
  { name: 'blocks that refer to earlier ones', input: LINES_ZST, output: LINES },
  { name: 'a raw block', input: frame(abc), output: abc },
  { name: 'an RLE block', input: frame({ byte: 0x61, times: 5 }), output: Buffer.from('aaaaa') },
  { name: 'an empty last block', input: frame(abc, Buffer.from('')), output: abc },
  {
    name: 'two frames',
    input: Buffer.concat([HELLO_CHECKSUM, HELLO_ZST]),
    output: Buffer.concat([HELLO, HELLO]),
  },
  {
    name: 'a large frame between small ones',
    input: Buffer.concat([HELLO_ZST, LINES_ZST, HELLO_ZST]),
    output: Buffer.concat([HELLO, LINES, HELLO]),
  },
  {
    name: '300 tiny frames',
    input: Buffer.concat(TINY.map((tiny) => frame(tiny))),
    output: Buffer.concat(TINY),
  },
  { name: 'only a skippable frame', input: skippable(abc), output: Buffer.from('') },
  {
    name: 'an empty skippable frame',
    input: Buffer.concat([skippable(Buffer.from('')), HELLO_ZST]),
    output: HELLO,
  },
  {
    name: 'a leading skippable frame, as pzstd writes',
    input: Buffer.concat([
      skippable(Buffer.from([0x1c, 0, 0, 0])),
      HELLO_ZST,
      skippable(Buffer.from([0x1c, 0, 0, 0])),
      HELLO_ZST,
    ]),
    output: Buffer.concat([HELLO, HELLO]),
  },
  {
    name: 'skippable frames within and at the end, as zstd:chunked has',
    input: Buffer.concat([
      HELLO_CHECKSUM,
      skippable(abc, 15),
      HELLO_ZST,
      skippable(HELLO),
      skippable(Buffer.alloc(64), 8),
    ]),
    output: Buffer.concat([HELLO, HELLO]),
  },
  { name: 'what pzstd wrote', input: PZSTD_ZEROS, output: Buffer.alloc(9_000_000) },
  {
    name: 'two outputs of pzstd',
    input: Buffer.concat([PZSTD_ZEROS, PZSTD_ZEROS]),
    output: Buffer.alloc(18_000_000),
  },
  {
    name: 'a frame of 5 MB that says its size',
    input: sizedFrame(MIB5, ...zeros(MIB5)),
    output: Buffer.alloc(MIB5),
  },
  { name: 'a frame of 5 MB that does not', input: frame(...zeros(MIB5)), output: Buffer.alloc(MIB5) },
  {
    name: 'frames of 4 MiB',
    input: Buffer.concat([0, 1, 2].map(() => sizedFrame(BLOCK * 32, ...zeros(BLOCK * 32)))),
    output: Buffer.alloc(BLOCK * 96),
  },
  ...[BLOCK - 1, BLOCK, 2 * BLOCK, 2 * BLOCK + 1, 3 * BLOCK].map((size) => ({
    name: `a frame of ${size} bytes before another`,
    input: Buffer.concat([frame(...zeros(size)), sizedFrame(size, ...zeros(size)), HELLO_ZST]),
    output: Buffer.concat([Buffer.alloc(2 * size), HELLO]),
  })),
];

const reserved = Buffer.from(HELLO_ZST);
reserved[4] = 0x28;
const damaged = Buffer.from(LINES_ZST);
damaged.fill(0xff, 40, 200);

const INVALID: { name: string; input: Buffer; code: string; message: RegExp }[] = [
  {
    name: 'something else',
    input: Buffer.from('not zstd at all'),
    code: 'MALFORMED',
    message: /^layer is not zstd$/,
  },
  {
    name: 'one byte of garbage at the end',
    input: Buffer.concat([HELLO_ZST, Buffer.from('x')]),
    code: 'MALFORMED',
    message: /bytes after/,
  },
  {
    name: '100 bytes of garbage at the end',
    input: Buffer.concat([HELLO_ZST, Buffer.alloc(100, 7)]),
    code: 'MALFORMED',
    message: /bytes after/,
  },
  {
    name: 'zeros at the end',
    input: Buffer.concat([HELLO_ZST, Buffer.alloc(512)]),
    code: 'MALFORMED',
    message: /bytes after/,
  },
  {
    name: 'zeros, then another frame',
    input: Buffer.concat([HELLO_ZST, Buffer.alloc(512), HELLO_ZST]),
    code: 'MALFORMED',
    message: /bytes after/,
  },
  {
    name: 'a magic at the end and nothing more',
    input: Buffer.concat([HELLO_ZST, HELLO_ZST.subarray(0, 4)]),
    code: 'TRUNCATED',
    message: /^layer ends within/,
  },
  {
    name: 'most of a magic at the end',
    input: Buffer.concat([HELLO_ZST, HELLO_ZST.subarray(0, 3)]),
    code: 'TRUNCATED',
    message: /ends within/,
  },
  {
    name: 'most of a skippable magic',
    input: skippable(abc).subarray(0, 3),
    code: 'TRUNCATED',
    message: /ends within/,
  },
  {
    name: 'a cut skippable size',
    input: skippable(abc).subarray(0, 6),
    code: 'TRUNCATED',
    message: /ends within/,
  },
  {
    name: 'a cut skippable frame',
    input: skippable(abc).subarray(0, -1),
    code: 'TRUNCATED',
    message: /ends within/,
  },
  {
    name: 'a cut second frame',
    input: Buffer.concat([HELLO_ZST, HELLO_CHECKSUM.subarray(0, -1)]),
    code: 'TRUNCATED',
    message: /ends within/,
  },
  {
    name: 'a frame of 5 MB without its last block',
    input: frame(...zeros(MIB5)).subarray(0, -4),
    code: 'TRUNCATED',
    message: /ends within/,
  },
  {
    name: 'a damaged second frame',
    input: Buffer.concat([HELLO_ZST, damaged]),
    code: 'MALFORMED',
    message: /^layer is not valid zstd/,
  },
  { name: 'a reserved bit in the frame header', input: reserved, code: 'MALFORMED', message: /reserved bit/ },
  {
    name: 'a reserved block type',
    input: Buffer.concat([frameHeader(), blockHeader(true, 3, 1), abc]),
    code: 'MALFORMED',
    message: /reserved block/,
  },
  {
    name: 'a raw block over 128 KiB',
    input: frame(Buffer.alloc(BLOCK + 1)),
    code: 'MALFORMED',
    message: /over its limit/,
  },
  {
    name: 'an RLE block over 128 KiB',
    input: frame({ byte: 0, times: BLOCK + 1 }),
    code: 'MALFORMED',
    message: /over its limit/,
  },
  {
    name: 'a block over the window',
    input: Buffer.concat([frameHeader({ windowLog: 10 }), blocks({ byte: 0, times: 1025 })]),
    code: 'MALFORMED',
    message: /over its limit/,
  },
  {
    name: 'a window of 256 MiB',
    input: HELLO_LONG28,
    code: 'UNSUPPORTED',
    message: /window of 268435456 bytes/,
  },
  {
    name: 'a single segment of 129 MiB',
    input: Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0]),
      Buffer.from([0, 0, 0x10, 0x08]),
      blocks(abc),
    ]),
    code: 'UNSUPPORTED',
    message: /window/,
  },
  {
    name: 'a dictionary',
    input: Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x01, 0x38, 0x05]), blocks(abc)]),
    code: 'UNSUPPORTED',
    message: /dictionary/,
  },
  {
    name: 'a stated size of one byte too few',
    input: sizedFrame(2, abc),
    code: 'MALFORMED',
    message: /not valid zstd/,
  },
  {
    name: 'a stated size of one byte too many',
    input: sizedFrame(4, abc),
    code: 'MALFORMED',
    message: /not valid zstd/,
  },
  {
    name: 'a stated size of 4 GiB',
    input: sizedFrame(4_294_967_296n, abc),
    code: 'MALFORMED',
    message: /not valid zstd/,
  },
  {
    name: 'the largest size that can be stated',
    input: sizedFrame(2n ** 64n - 1n, abc),
    code: 'MALFORMED',
    message: /not valid zstd/,
  },
  {
    name: 'a size stated too small for 5 MB',
    input: sizedFrame(MIB5 - 1, ...zeros(MIB5)),
    code: 'MALFORMED',
    message: /not valid zstd/,
  },
  {
    name: 'a size stated too large for 5 MB',
    input: sizedFrame(MIB5 + 1, ...zeros(MIB5)),
    code: 'MALFORMED',
    message: /not valid zstd/,
  },
];

describe.each(DECODERS)('unzstd with $decoder', ({ decode }) => {
  describe.each(CHUNKINGS)('$name', ({ size }) => {
    test.each(VALID)('reads $name', async ({ input, output }) => {
      const read = await collect(unzstd(source(input, size), 'layer', decode));
      expect(read.length).toBe(output.length);
      expect(read.equals(output)).toBe(true);
    });

    test.each(INVALID)('refuses $name', async ({ input, code, message }) => {
      const watched = source(input, size);
      expect(await failure(unzstd(watched, 'layer', decode))).toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
      await until(() => watched.closed);
      expect(watched.closed).toBe(true);
    });
  });

  test.each(CHUNKINGS)('reads a layer of zstd:chunked, $name', async ({ size }) => {
    const read = await collect(unzstd(source(CHUNKED_ZST, size), 'layer', decode));
    expect(digestOf(read)).toBe(CHUNKED_DIFF_ID);
  });

  test.each([
    { name: 'a compressed frame with a checksum', input: HELLO_CHECKSUM },
    { name: 'a frame that says its size', input: sizedFrame(3, abc) },
    {
      name: 'a frame after a skippable one',
      input: Buffer.concat([skippable(abc), frame(abc, { byte: 1, times: 9 })]),
      whole: [0, 11],
    },
  ])('a cut at any byte of $name is an error', async ({ input, whole = [0] }) => {
    for (let length = 0; length < input.length; length++) {
      const error = await failure(unzstd(source(input.subarray(0, length), 5), 'layer', decode));
      expect(isDrayageError(error, 'TRUNCATED'), `${length} bytes`).toBe(!whole.includes(length));
    }
    expect(await failure(unzstd(source(input), 'layer', decode))).toBeUndefined();
  });

  test.each([10, 1000, MIB5])(
    'an error of the source comes through as it is, after content of %i bytes',
    async (length) => {
      const error = Object.assign(new Error('looks like our own'), {
        code: 'ZSTD_error_corruption_detected',
      });
      const input = Buffer.concat([frame(...zeros(length)), frame(...zeros(length)).subarray(0, -2)]);
      expect(await failure(unzstd(source(input, 3, error), 'layer', decode))).toBe(error);
    },
  );

  test.each([10, MIB5])(
    'a consumer that stops early releases the source (frames of %i bytes)',
    async (length) => {
      const input = source(Buffer.concat(Array.from({ length: 200 }, () => frame(...zeros(length)))), 16);
      for await (const chunk of unzstd(input, 'layer', decode)) {
        expect(chunk[0]).toBe(0);
        break;
      }
      await until(() => input.closed);
      expect(input.closed).toBe(true);
    },
  );

  test('a consumer that waits is not run over by a frame that expands', async () => {
    // Over 6 GB in 200 KB. What is read ahead is some MiB of output and one buffer of input.
    const input = source(frame(...zeros(50_000 * BLOCK)), 1024);
    for await (const chunk of unzstd(input, 'layer', decode)) {
      expect(chunk.length).toBeLessThan(4 * 1024 * 1024);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(input.chunks).toBeLessThan(150);
      break;
    }
  });
});

test('a wrong checksum is noticed where Node has zstd, and left to the digest elsewhere', async () => {
  const input = Buffer.from(HELLO_CHECKSUM);
  input[input.length - 1] = (input.at(-1) ?? 0) ^ 1;
  const portable = nativeZstd() === undefined;
  const error = await failure(unzstd(source(input), 'layer'));
  expect(isDrayageError(error, 'MALFORMED')).toBe(!portable);
});

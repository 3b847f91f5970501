import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { measure } from '../../src/stream/sniffed.ts';
import { unzstdSize } from '../../src/stream/unzstd.ts';
import { decodeFramePortably } from '../../src/stream/zstd-portable.ts';
import { CHUNKINGS, source } from './sources.ts';
import { frame, sizedFrame, skippable, zeros } from './zstd-bytes.ts';
import { HELLO, HELLO_ZST, LINES, LINES_ZST, PZSTD_ZEROS } from './zstd-fixtures.ts';

const abc = Buffer.from('abc');

describe.each(CHUNKINGS)('content is measured, $name', ({ size }) => {
  test.each([
    ['none', 'plain bytes', HELLO, HELLO.length],
    ['none', 'nothing', Buffer.alloc(0), 0],
    ['gzip', 'gzip', gzipSync(HELLO), HELLO.length],
    ['zstd', 'a frame that says its size', HELLO_ZST, HELLO.length],
    ['zstd', 'a frame that does not', LINES_ZST, LINES.length],
    [
      'zstd',
      'frames of both kinds',
      Buffer.concat([HELLO_ZST, skippable(abc), LINES_ZST, HELLO_ZST]),
      LINES.length + 2 * HELLO.length,
    ],
    ['zstd', 'what pzstd wrote', PZSTD_ZEROS, 9_000_000],
    ['zstd', 'no more than a skippable frame', skippable(abc), 0],
  ] as const)('%s: %s', async (compression, _, input, expected) => {
    expect(await measure(source(input, size), 'layer')).toEqual({ compression, size: expected });
    if (compression === 'zstd')
      expect(await unzstdSize(source(input, size), 'layer', decodeFramePortably)).toBe(expected);
  });

  test.each([
    ['TRUNCATED', 'a cut frame that says its size', sizedFrame(3, abc).subarray(0, -1)],
    ['TRUNCATED', 'a cut frame that does not', frame(...zeros(400_000)).subarray(0, -1)],
    ['MALFORMED', 'bytes after the last frame', Buffer.concat([HELLO_ZST, abc])],
    ['UNSUPPORTED', 'xz', Buffer.from('fd377a585a000004e6d6b446', 'hex')],
  ])('%s: %s', async (code, _, input) => {
    await expect(measure(source(input, size), 'layer')).rejects.toMatchObject({ code });
  });
});

test('a frame that says its size is not decompressed for it', async () => {
  expect(await measure(source(sizedFrame(7_000_000_000, abc)), 'layer')).toEqual({
    compression: 'zstd',
    size: 7_000_000_000,
  });
});

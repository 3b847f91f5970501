import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { CODECS, detectCompression, MAGIC_BYTES, refuseForeign } from '../../src/stream/codecs.ts';
import { collect, source } from './sources.ts';
import { HELLO, HELLO_ZST } from './zstd-fixtures.ts';

const HEADS: { name: string; hex: string; expected: ReturnType<typeof detectCompression> }[] = [
  { name: 'gzip', hex: '1f8b0800000000000003', expected: 'gzip' },
  { name: 'a zstd frame', hex: '28b52ffd2423', expected: 'zstd' },
  { name: 'the first skippable frame', hex: '502a4d1804000000', expected: 'zstd' },
  { name: 'the last skippable frame', hex: '5f2a4d1804000000', expected: 'zstd' },
  { name: 'no skippable frame', hex: '602a4d1804000000', expected: 'none' },
  { name: 'xz', hex: 'fd377a585a000004', expected: 'xz' },
  { name: 'bzip2', hex: '425a6839314159265359', expected: 'bzip2' },
  { name: 'bzip2 of nothing', hex: '425a6839177245385090', expected: 'bzip2' },
  {
    name: 'a tar whose first file is BZh9-notes',
    hex: Buffer.from('BZh9-notes').toString('hex'),
    expected: 'none',
  },
  { name: 'lz4', hex: '04224d186440a7', expected: 'lz4' },
  { name: 'lz4 of old', hex: '02214c18', expected: 'lz4' },
  { name: 'a tar', hex: Buffer.from('etc/passwd').toString('hex'), expected: 'none' },
  { name: 'a magic that is cut', hex: '28b52f', expected: 'none' },
  { name: 'zeros', hex: '00'.repeat(10), expected: 'none' },
  { name: 'nothing', hex: '', expected: 'none' },
];

test.each(HEADS)('$name is recognised as $expected', ({ hex, expected }) => {
  expect(detectCompression(Buffer.from(hex, 'hex'))).toBe(expected);
  expect(
    detectCompression(Buffer.concat([Buffer.from(hex, 'hex').subarray(0, MAGIC_BYTES), Buffer.alloc(9)])),
  ).toBe(hex === '28b52f' ? 'none' : expected);
});

test.each(['xz', 'bzip2', 'lz4'] as const)('%s is refused by name', (foreign) => {
  expect(() => refuseForeign(foreign, 'layer')).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED',
      message: expect.stringContaining(foreign),
      hint: expect.any(String),
    }),
  );
});

test.each(['none', 'gzip', 'zstd'] as const)('%s is let through', (known) => {
  expect(refuseForeign(known, 'layer')).toBe(known);
});

test.each([
  { compression: 'none', input: HELLO },
  { compression: 'gzip', input: gzipSync(HELLO) },
  { compression: 'zstd', input: HELLO_ZST },
] as const)('$compression is decompressed', async ({ compression, input }) => {
  expect((await collect(CODECS[compression].decompress(source(input, 3), 'layer'))).equals(HELLO)).toBe(true);
});

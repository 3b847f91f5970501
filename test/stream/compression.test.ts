import { describe, expect, test } from 'vitest';
import { DETECT_BYTES, detectCompression, peek, refuseForeign } from '../../src/stream/compression.ts';
import { collect, failure, source } from './sources.ts';

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
    detectCompression(Buffer.concat([Buffer.from(hex, 'hex').subarray(0, DETECT_BYTES), Buffer.alloc(9)])),
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

describe('peek', () => {
  const content = Buffer.from(Array.from({ length: 100 }, (_, i) => i));

  test.each([
    { size: 1, count: 10 },
    { size: 7, count: 10 },
    { size: 10, count: 10 },
    { size: Infinity, count: 10 },
    { size: 7, count: 0 },
    { size: 7, count: 100 },
    { size: 7, count: 101 },
  ])('shows $count bytes of chunks of $size and loses none', async ({ size, count }) => {
    const { head, bytes } = await peek(source(content, size), count);
    expect(Buffer.from(head).equals(content.subarray(0, count))).toBe(true);
    expect((await collect(bytes)).equals(content)).toBe(true);
  });

  test('shows nothing of nothing', async () => {
    const { head, bytes } = await peek(source(Buffer.alloc(0)), 10);
    expect(head.length).toBe(0);
    expect((await collect(bytes)).length).toBe(0);
  });

  test('yields no empty chunk', async () => {
    const { bytes } = await peek(source(content, 7), 10);
    for await (const chunk of bytes) expect(chunk.length).toBeGreaterThan(0);
  });

  test('releases the source when what it gave is returned unread', async () => {
    const watched = source(content, 7);
    const { bytes } = await peek(watched, 10);
    await bytes.return();
    expect(watched.closed).toBe(true);
  });

  test('releases the source when the consumer stops early', async () => {
    const watched = source(content, 7);
    for await (const chunk of (await peek(watched, 10)).bytes) if (chunk.length === 7) break;
    expect(watched.closed).toBe(true);
  });

  test('hands on an error of the source, before and after the head', async () => {
    const error = new Error('socket closed');
    await expect(peek(source(content, 7, error), 101)).rejects.toBe(error);
    expect(await failure((await peek(source(content, 7, error), 10)).bytes)).toBe(error);
  });
});

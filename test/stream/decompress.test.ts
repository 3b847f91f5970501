import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decompress } from '../../src/stream/decompress.ts';
import { collect, source } from './sources.ts';
import { HELLO, HELLO_ZST } from './zstd-fixtures.ts';

test.each([
  { compression: 'none', input: HELLO },
  { compression: 'gzip', input: gzipSync(HELLO) },
  { compression: 'zstd', input: HELLO_ZST },
] as const)('decompress reads $compression', async ({ compression, input }) => {
  expect((await collect(decompress(source(input, 3), compression, 'layer'))).equals(HELLO)).toBe(true);
});

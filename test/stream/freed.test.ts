import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { CODECS } from '../../src/stream/codecs.ts';
import { nativeZstd } from '../../src/stream/zstd-runtime.ts';
import { source } from './sources.ts';

const CONTENT = Buffer.concat(
  Array.from({ length: 200_000 }, (_, i) => Buffer.from(`line ${i} of some text\n`)),
);
const zstd = nativeZstd();

/** One member, or one frame: its chunks come out of a stream. */
const stored = {
  gzip: gzipSync(CONTENT),
  zstd: zstd?.zstdCompressSync(CONTENT, { params: { [zstd.constants.ZSTD_c_contentSizeFlag]: 0 } }),
};

/** Reads all, and tells how many chunks had lost their memory when the next one was there, and what was read. */
async function read(
  name: 'gzip' | 'zstd',
  freesChunks?: boolean,
): Promise<{ freed: number; digest: string }> {
  const hash = createHash('sha256');
  const chunks: Uint8Array[] = [];
  let freed = 0;
  const bytes = source(stored[name] ?? Buffer.of(), 16 * 1024);
  for await (const chunk of CODECS[name].decompress(bytes, 'layer', { freesChunks })) {
    freed = chunks.filter(({ buffer }) => buffer.byteLength === 0).length;
    hash.update(chunk);
    chunks.push(chunk);
  }
  return { freed, digest: hash.digest('hex') };
}

const digest = createHash('sha256').update(CONTENT).digest('hex');
const kinds = zstd === undefined ? (['gzip'] as const) : (['gzip', 'zstd'] as const);

test.each(kinds)('the memory of %s chunks is freed for a consumer that keeps none', async (name) => {
  const found = await read(name, true);
  expect(found.digest).toBe(digest);
  // Four megabytes in memory of 256 KiB; several chunks may share one.
  expect(found.freed).toBeGreaterThan(10);
});

test.each(kinds)('the memory of %s chunks is left to a consumer that may keep them', async (name) => {
  expect(await read(name)).toEqual({ freed: 0, digest });
});

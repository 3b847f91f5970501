import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { DrayageError } from '../errors.ts';
import type { Compression } from '../oci/media-types.ts';
import { statingSize } from '../stream/gzip-members.ts';
import type { NativeZstd } from '../stream/zstd-runtime.ts';
import { nativeZstd } from '../stream/zstd-runtime.ts';
import { blocks } from './blocks.ts';
import type { Codec } from './codec.ts';

/** Uncompressed bytes per gzip member or zstd frame: small enough to be held several at once, large enough to cost < 1 %. */
const BLOCK_SIZE: Record<Exclude<Compression, 'none'>, number> = { gzip: 1024 * 1024, zstd: 4 * 1024 * 1024 };

/** Compresses one block into a whole member or frame. */
type CompressBlock = (block: Uint8Array) => Promise<Uint8Array>;

/**
 * Compresses bytes in blocks, several at once, each a gzip member or zstd frame of its own. The output depends on bytes,
 * codec and library version alone, not on timing: Node's streaming zstd encoder cannot promise that.
 * @param concurrency how many blocks are compressed at once
 */
export async function* compress(
  bytes: AsyncIterable<Uint8Array>,
  { compression, level }: Codec,
  concurrency: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (compression === 'none') {
    yield* bytes;
    return;
  }
  const compressBlock = compression === 'gzip' ? gzipBlocks(level) : zstdBlocks(level);
  const running: Promise<Uint8Array>[] = [];
  for await (const block of blocks(bytes, BLOCK_SIZE[compression])) {
    const job = compressBlock(block);
    // Awaited in order below; until then a failure must not count as unhandled.
    job.catch(() => {});
    running.push(job);
    if (running.length >= concurrency) yield* first(running);
  }
  while (running.length > 0) yield* first(running);
}

async function* first(running: Promise<Uint8Array>[]): AsyncGenerator<Uint8Array, void, undefined> {
  const job = running.shift();
  if (job !== undefined) yield await job;
}

function gzipBlocks(level: number): CompressBlock {
  const run = promisify<Uint8Array, { level: number }, Buffer>(gzip);
  return async (block) => statingSize(await run(block, { level }));
}

function zstdBlocks(level: number): CompressBlock {
  const zstd = nativeZstd();
  if (zstd === undefined) throw new DrayageError('UNSUPPORTED', 'this Node cannot write zstd');
  const params = {
    [zstd.constants.ZSTD_c_compressionLevel]: level,
    [zstd.constants.ZSTD_c_contentSizeFlag]: 1,
    [zstd.constants.ZSTD_c_checksumFlag]: 0,
  };
  return (block) => zstdBlock(zstd, block, params);
}

function zstdBlock(zstd: NativeZstd, block: Uint8Array, params: Record<number, number>): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    zstd.zstdCompress(block, { params, pledgedSrcSize: block.length }, (error, compressed) => {
      if (error) reject(error);
      else resolve(compressed);
    });
  });
}

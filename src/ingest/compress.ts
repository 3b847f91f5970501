import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { DrayageError } from '../errors.ts';
import type { Compression } from '../oci/media-types.ts';
import { statingSize } from '../stream/gzip-members.ts';
import type { NativeZstd } from '../stream/zstd-runtime.ts';
import { nativeZstd } from '../stream/zstd-runtime.ts';
import type { Codec } from './codec.ts';

/** Uncompressed bytes per gzip member or zstd frame: small enough to be held several at once, large enough to cost < 1 %. */
export const BLOCK_SIZE: Record<Compression, number> = {
  // Not compressed, but hashed a block at a time.
  none: 1024 * 1024,
  gzip: 1024 * 1024,
  zstd: 4 * 1024 * 1024,
};

/** Compresses one block into a whole gzip member or zstd frame. */
export type CompressBlock = (block: Uint8Array) => Promise<Uint8Array>;

/**
 * Makes the function that compresses blocks, each in one call, on the threads of Node's pool. What comes out depends on
 * bytes, codec and library version alone, not on timing: Node's streaming zstd encoder cannot promise that.
 */
export function blockCompressor({ compression, level }: Codec): CompressBlock {
  if (compression === 'none') return async (block) => block;
  return compression === 'gzip' ? gzipBlocks(level) : zstdBlocks(level);
}

/** Room for what most blocks become, so that they are done without coming back here for more. */
function outputSize(block: Uint8Array): number {
  return Math.max(1024, block.length >> 1);
}

function gzipBlocks(level: number): CompressBlock {
  const run = promisify<Uint8Array, { level: number; chunkSize: number }, Buffer>(gzip);
  return async (block) => statingSize(await run(block, { level, chunkSize: outputSize(block) }));
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
    const options = { params, chunkSize: outputSize(block), pledgedSrcSize: block.length };
    zstd.zstdCompress(block, options, (error, compressed) => {
      if (error) reject(error);
      else resolve(compressed);
    });
  });
}

import type { Codec, CompressBlock } from './codec.ts';
import { MAX_PART, outputSize } from './codec.ts';
import { runtimeFrameDecoder, unzstd, unzstdSize } from './unzstd.ts';
import { nativeZstd } from './zstd-runtime.ts';

/** A power of two. The window is as large: less time and smaller blobs than with the narrow windows of low levels. */
const BLOCK_SIZE = MAX_PART;

/** zstd: one frame per block. */
export const ZSTD: Codec = {
  // A skippable frame may come first: pzstd and seekable formats write one.
  magic: /^(?:28b52ffd|5[0-9a-f]2a4d18)/,
  blockSize: BLOCK_SIZE,
  levels: { max: 19, byDefault: 1 },
  writtenBy: 'Node 22.15 or newer',
  unreadBy: 'docker before 23',
  decompress: (bytes, what, options) => unzstd(bytes, what, runtimeFrameDecoder(), options),
  measure: (bytes, what) => unzstdSize(bytes, what),
  compressor,
};

/** Not a stream: Node's streaming encoder makes different bytes at different times. */
function compressor(level: number): CompressBlock | undefined {
  const zstd = nativeZstd();
  if (zstd === undefined) return undefined;
  const params = {
    [zstd.constants.ZSTD_c_compressionLevel]: level,
    [zstd.constants.ZSTD_c_windowLog]: Math.log2(BLOCK_SIZE),
    [zstd.constants.ZSTD_c_contentSizeFlag]: 1,
    [zstd.constants.ZSTD_c_checksumFlag]: 0,
  };
  return async (block, callZlib) => {
    const options = { params, chunkSize: outputSize(block), pledgedSrcSize: block.length };
    return [await callZlib({ name: 'zstdCompressSync', options }, block)];
  };
}

import type { Codec, CompressBlock } from './codec.ts';
import { outputSize } from './codec.ts';
import { runtimeFrameDecoder, unzstd, unzstdSize } from './unzstd.ts';
import { nativeZstd } from './zstd-runtime.ts';

/** zstd: one frame per block. */
export const ZSTD: Codec = {
  // A skippable frame may come first: pzstd and seekable formats write one.
  magic: /^(?:28b52ffd|5[0-9a-f]2a4d18)/,
  blockSize: 4 * 1024 * 1024,
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
    [zstd.constants.ZSTD_c_contentSizeFlag]: 1,
    [zstd.constants.ZSTD_c_checksumFlag]: 0,
  };
  return (block) =>
    new Promise((resolve, reject) => {
      const options = { params, chunkSize: outputSize(block), pledgedSrcSize: block.length };
      zstd.zstdCompress(block, options, (error, compressed) => {
        if (error) reject(error);
        else resolve([compressed]);
      });
    });
}

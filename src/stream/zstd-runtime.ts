import type { Transform } from 'node:stream';
import type { ZlibReset } from 'node:zlib';
import * as zlib from 'node:zlib';

/** Options of Node's zstd functions: sizes in bytes, `params` by the constants of {@link NativeZstd}. */
export interface NativeZstdOptions {
  chunkSize?: number;
  maxOutputLength?: number;
  /** For compression: the number of input bytes. The frame states its content size only if this is given. */
  pledgedSrcSize?: number;
  /** For streams: how much output is buffered. */
  readableHighWaterMark?: number;
  params?: Record<number, number>;
}

/**
 * The zstd of `node:zlib` (Node >= 22.15), which the types of Node 20 lack. Its decoder stops after the first frame and
 * reports success, and on Node 22 it accepts a truncated frame: pass it exactly one frame.
 */
export interface NativeZstd {
  createZstdCompress(options?: NativeZstdOptions): Transform;
  createZstdDecompress(options?: NativeZstdOptions): Transform & ZlibReset;
  zstdCompressSync(bytes: Uint8Array, options?: NativeZstdOptions): Buffer;
  zstdDecompressSync(bytes: Uint8Array, options?: NativeZstdOptions): Buffer;
  constants: {
    ZSTD_c_compressionLevel: number;
    ZSTD_c_windowLog: number;
    ZSTD_c_checksumFlag: number;
    ZSTD_c_contentSizeFlag: number;
    ZSTD_d_windowLogMax: number;
  };
}

/** Node's own zstd; undefined if this Node has none. */
export function nativeZstd(): NativeZstd | undefined {
  const runtime: unknown = zlib;
  return hasZstd(runtime) ? runtime : undefined;
}

// One name stands for all, because they came with the same release.
function hasZstd(runtime: unknown): runtime is NativeZstd {
  return typeof runtime === 'object' && runtime !== null && 'createZstdDecompress' in runtime;
}

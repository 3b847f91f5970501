import type { ZlibOptions } from 'node:zlib';
import type { NativeZstdOptions } from './zstd-runtime.ts';

/** A call of `node:zlib` that compresses a block in one go, as data: a thread can make it. */
export type ZlibCall =
  | { name: 'gzipSync'; options: ZlibOptions }
  | { name: 'zstdCompressSync'; options: NativeZstdOptions };

/** A call of `node:zlib` that decompresses a part in one go, as data: a thread can make it. */
export type DecompressCall =
  | { name: 'gunzipSync'; options: ZlibOptions }
  | { name: 'zstdDecompressSync'; options: NativeZstdOptions };

/** A part of compressed content that decompresses by itself: a gzip member or a zstd frame. */
export interface CompressedPart {
  call: DecompressCall;
  /** The compressed bytes, in one or more chunks. They may share memory with others. */
  chunks: readonly Uint8Array[];
  /** How many decompressed bytes it states. The content decides whether that is true. */
  size: number;
}

/** Takes a part, or refuses it: then it resolves with false. */
export type TakePart = (part: CompressedPart) => Promise<boolean>;

/** The most decompressed bytes of a {@link CompressedPart}: those of the largest block that is written here. */
export const MAX_PART: number = 4 * 1024 * 1024;

/** Makes a call for a block. The block must not change before the result; the memory of the result is the caller's. */
export type CallZlib = (call: ZlibCall, block: Uint8Array) => Promise<Uint8Array>;

/**
 * Compresses one block into bytes that are complete by themselves, in one or more chunks. The blob is the sequence of all
 * compressed blocks. The memory of the chunks is the caller's, who may free it.
 */
export type CompressBlock = (block: Uint8Array, callZlib: CallZlib) => Promise<readonly Uint8Array[]>;

/** Options of {@link Codec.decompress}. */
export interface DecompressOptions {
  /**
   * Stores bytes to their end, and then reads them back. For content that holds other compressed content: what needs much
   * memory itself is stored decompressed before that is read. Default: it holds none.
   */
  putAside?: ((bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>) | undefined;
  /**
   * Takes the parts at the beginning of the content, in their order. From the first part that it refuses (false), or that
   * is too large, everything is yielded. Resolves when it may get the next part. Default: everything is yielded.
   */
  takePart?: TakePart | undefined;
  /**
   * Whether a chunk's memory may be freed when the consumer asks for the next chunk. The consumer must not keep chunks
   * then. Default false.
   */
  freesChunks?: boolean | undefined;
}

/** A way to compress layers: a row of the table of codecs. */
export interface Codec {
  /** Matches the first bytes of compressed content, in hexadecimal. Absent if the content has no magic. */
  magic?: RegExp;
  /** Uncompressed bytes per block: small enough to hold several at once, large enough to cost < 1 % of size. */
  blockSize: number;
  /** Absent if there are no levels. The lowest is 1. */
  levels?: { max: number; byDefault: number };
  /** The runtimes that can write it, if not all can. */
  writtenBy?: string;
  /** The programs that cannot pull such layers from a registry. */
  unreadBy?: string;
  /**
   * The uncompressed bytes, with back-pressure and in bounded memory. If the consumer returns early, the source is
   * released; errors of the source are thrown as they are. Ends without an error only if the input was complete, to its
   * last byte.
   * @param what names the content in errors
   * @throws {@link DrayageError} `TRUNCATED`, `MALFORMED`, `UNSUPPORTED`
   */
  decompress(
    bytes: AsyncIterable<Uint8Array>,
    what: string,
    options?: DecompressOptions,
  ): AsyncIterable<Uint8Array>;
  /** Reads to the end and returns the decompressed size. Believes content that states its size. */
  measure(bytes: AsyncIterable<Uint8Array>, what: string): Promise<number>;
  /**
   * Makes a function that compresses blocks, each in one call. The result depends only on bytes, level and library
   * version, not on timing or threads. Undefined if this runtime cannot write the codec.
   */
  compressor(level: number): CompressBlock | undefined;
}

/**
 * Bytes of output to make room for: as many as any block needs. Then zstd compresses from the block into the output, and
 * copies nothing. What is not used costs no memory. Small buffers are parts of others, which a thread cannot give away.
 */
export function outputSize(block: Uint8Array): number {
  return block.length + (block.length >> 8) + 128 * 1024;
}

/** Options of `node:zlib` for output of at most `size` bytes in one buffer. */
export function boundedOutput(size: number): { chunkSize: number; maxOutputLength: number } {
  // One byte more than the output: if the output fills the buffer exactly, Node calls the decoder again.
  const chunkSize = Math.max(size + 1, 64);
  return { chunkSize, maxOutputLength: chunkSize };
}

/**
 * Compresses one block into bytes that are complete by themselves, in one or more chunks. The blob is the sequence of all
 * compressed blocks. The memory of the chunks is the caller's, who may free it.
 */
export type CompressBlock = (block: Uint8Array) => Promise<readonly Uint8Array[]>;

/** Options of {@link Codec.decompress}. */
export interface DecompressOptions {
  /**
   * Stores bytes to their end, and then reads them back. For content that holds other compressed content: what needs much
   * memory itself is stored decompressed before that is read. Default: it holds none.
   */
  putAside?: ((bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>) | undefined;
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
   * Makes a function that compresses blocks, each in one call, on the threads of Node's pool. The result depends only
   * on bytes, level and library version, not on timing. Undefined if this runtime cannot write the codec.
   */
  compressor(level: number): CompressBlock | undefined;
}

/** Bytes of output to make room for: most blocks need no more, and are compressed without asking for more room. */
export function outputSize(block: Uint8Array): number {
  return Math.max(1024, block.length >> 1);
}

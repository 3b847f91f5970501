/** Compresses one block into bytes that are complete by themselves. Those of all blocks, one after another, are the blob. */
export type CompressBlock = (block: Uint8Array) => Promise<Uint8Array>;

/** A way to compress layers: a row of the table of codecs. */
export interface Codec {
  /** Matches the first bytes of compressed content, in hexadecimal. Absent where nothing tells. */
  magic?: RegExp;
  /** Uncompressed bytes per block: small enough to hold several at once, large enough to cost < 1 % of size. */
  blockSize: number;
  /** Absent where there is no level to choose. The lowest is 1. */
  levels?: { max: number; byDefault: number };
  /** What a runtime must be to write it, where not all do. */
  writtenBy?: string;
  /** Who cannot pull such layers from a registry. */
  unreadBy?: string;
  /**
   * The uncompressed bytes. Back-pressured, in bounded memory; the source is released when the consumer returns early, and
   * its errors come through as they are. Ends well only if the input was whole, to its last byte.
   * @param what names the content in errors
   * @throws {@link DrayageError} `TRUNCATED`, `MALFORMED`, `UNSUPPORTED`
   */
  decompress(bytes: AsyncIterable<Uint8Array>, what: string): AsyncIterable<Uint8Array>;
  /** Reads to the end and says how long it is once decompressed. Takes content at its word where it states its length. */
  measure(bytes: AsyncIterable<Uint8Array>, what: string): Promise<number>;
  /**
   * Makes what compresses blocks, each in one call, on the threads of Node's pool. The result depends on bytes, level and
   * library version alone, not on timing. Undefined where this runtime cannot write it.
   */
  compressor(level: number): CompressBlock | undefined;
}

/** Bytes of output to make room for: most blocks need no more, and are compressed without a return for more. */
export function outputSize(block: Uint8Array): number {
  return Math.max(1024, block.length >> 1);
}

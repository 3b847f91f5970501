import type { Compression } from '../oci/media-types.ts';
import { ByteReader } from './byte-reader.ts';
import type { DecompressOptions } from './codec.ts';
import { CODECS, detectCompression, MAGIC_BYTES, refuseForeign } from './codecs.ts';

/** Content whose compression is known. */
export interface Sniffed {
  compression: Compression;
  /** The whole content as it arrived. Read or release it; otherwise the source stays open. */
  bytes: ByteReader;
}

/**
 * Detects the compression of content. Releases the source if the compression is refused.
 * @param what names the content in errors
 * @throws {@link DrayageError} `UNSUPPORTED` for xz, bzip2 and lz4; errors of the source as they are
 */
export async function sniffed(bytes: AsyncIterable<Uint8Array>, what: string): Promise<Sniffed> {
  const reader = new ByteReader(bytes);
  try {
    const head = await reader.peek(MAGIC_BYTES);
    return { compression: refuseForeign(detectCompression(head), what), bytes: reader };
  } catch (error) {
    await reader.release();
    throw error;
  }
}

/**
 * The uncompressed bytes of content in any compression. Errors as in {@link sniffed} and {@link Codec.decompress}.
 * @param onCompression gets the compression before the first byte
 */
export async function* decompressDetected(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  onCompression?: (compression: Compression) => void,
  options?: DecompressOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { compression, bytes: whole } = await sniffed(bytes, what);
  onCompression?.(compression);
  yield* CODECS[compression].decompress(whole, what, options);
}

/** What is known about content after its compressed bytes have been read. */
export interface Measured {
  compression: Compression;
  /** Decompressed bytes. If the content states its size, this is only that statement: do not trust it. */
  size: number;
}

/**
 * Reads content in any compression to its end and returns its decompressed size. Content that states its size is not
 * decompressed for that.
 * @param what names the content in errors
 * @throws {@link DrayageError} `UNSUPPORTED`, `TRUNCATED`, `MALFORMED`; errors of the source as they are
 */
export async function measure(bytes: AsyncIterable<Uint8Array>, what: string): Promise<Measured> {
  const { compression, bytes: whole } = await sniffed(bytes, what);
  return { compression, size: await CODECS[compression].measure(whole, what) };
}

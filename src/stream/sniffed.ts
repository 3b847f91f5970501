import type { Compression } from '../oci/media-types.ts';
import { DETECT_BYTES, detectCompression, peek, refuseForeign } from './compression.ts';
import { decompress } from './decompress.ts';

/** Content whose compression is known. */
export interface Sniffed {
  compression: Compression;
  /** Whether there is no content at all. */
  empty: boolean;
  /** The whole content, as it came. To be read or returned, else the source stays open. */
  bytes: AsyncGenerator<Uint8Array, void, undefined>;
}

/**
 * Looks at content to see how it is compressed. The source is released where it is refused.
 * @param what names the content in errors
 * @throws {@link DrayageError} `UNSUPPORTED` for xz, bzip2 and lz4; errors of the source as they are
 */
export async function sniffed(bytes: AsyncIterable<Uint8Array>, what: string): Promise<Sniffed> {
  const { head, bytes: whole } = await peek(bytes, DETECT_BYTES);
  try {
    return {
      compression: refuseForeign(detectCompression(head), what),
      empty: head.length === 0,
      bytes: whole,
    };
  } catch (error) {
    await whole.return();
    throw error;
  }
}

/** The uncompressed bytes, however they are compressed. Errors as of {@link sniffed} and {@link decompress}. */
export async function* decompressDetected(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { compression, bytes: whole } = await sniffed(bytes, what);
  yield* decompress(whole, compression, what);
}

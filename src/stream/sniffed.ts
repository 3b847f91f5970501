import type { Compression } from '../oci/media-types.ts';
import { ByteReader } from './byte-reader.ts';
import { CODECS, detectCompression, MAGIC_BYTES, refuseForeign } from './codecs.ts';

/** Content whose first bytes have been looked at. */
export interface Peeked {
  /** The first bytes: as many as were asked for, fewer where the content is shorter. */
  head: Uint8Array;
  /** The whole content, from its first byte. To be read or returned, else the source stays open. */
  bytes: AsyncGenerator<Uint8Array, void, undefined>;
}

/** Looks at the first `count` bytes without losing them. Errors of the source come through as they are. */
export async function peek(bytes: AsyncIterable<Uint8Array>, count: number): Promise<Peeked> {
  const reader = new ByteReader(bytes);
  const head = await reader.read(count);
  const whole = replay(head, reader);
  // A generator that never ran would not clean up when it is returned: this takes it into its `try`.
  await whole.next();
  return { head, bytes: whole };
}

async function* replay(head: Uint8Array, reader: ByteReader): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield new Uint8Array(0);
    if (head.length > 0) yield head;
    yield* reader.rest();
  } finally {
    await reader.release();
  }
}

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
  const { head, bytes: whole } = await peek(bytes, MAGIC_BYTES);
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

/** The uncompressed bytes, however they are compressed. Errors as of {@link sniffed} and {@link Codec.decompress}. */
export async function* decompressDetected(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { compression, bytes: whole } = await sniffed(bytes, what);
  yield* CODECS[compression].decompress(whole, what);
}

/** What is known of content after its compressed bytes have been read. */
export interface Measured {
  compression: Compression;
  /** Bytes once decompressed. Where the content itself states them this is only what it states: not to be trusted. */
  size: number;
}

/**
 * Reads content to its end and says how long it is once decompressed, however it is compressed. What states its length is
 * not decompressed for that.
 * @param what names the content in errors
 * @throws {@link DrayageError} `UNSUPPORTED`, `TRUNCATED`, `MALFORMED`; errors of the source as they are
 */
export async function measure(bytes: AsyncIterable<Uint8Array>, what: string): Promise<Measured> {
  const { compression, bytes: whole } = await sniffed(bytes, what);
  return { compression, size: await CODECS[compression].measure(whole, what) };
}

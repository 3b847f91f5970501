import type { Compression } from '../oci/media-types.ts';
import { gunzippedSize } from './gzip-members.ts';
import { sniffed } from './sniffed.ts';
import { runtimeFrameDecoder } from './unzstd.ts';
import type { DecodeFrame } from './zstd-frames.ts';
import { zstdFrames } from './zstd-frames.ts';

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
 * @param decode decompresses a frame of zstd that does not say its size
 * @throws {@link DrayageError} `UNSUPPORTED`, `TRUNCATED`, `MALFORMED`; errors of the source as they are
 */
export async function measure(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  decode: DecodeFrame = runtimeFrameDecoder(),
): Promise<Measured> {
  const { compression, bytes: whole } = await sniffed(bytes, what);
  if (compression === 'zstd') return { compression, size: await zstdSize(whole, what, decode) };
  return { compression, size: await (compression === 'gzip' ? gunzippedSize(whole, what) : count(whole)) };
}

async function zstdSize(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  decode: DecodeFrame,
): Promise<number> {
  let size = 0;
  for await (const frame of zstdFrames(bytes, what)) {
    size += frame.header.contentSize ?? (await count(decode(frame, what)));
  }
  return size;
}

async function count(bytes: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of bytes) size += chunk.length;
  return size;
}

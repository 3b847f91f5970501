import type { Compression } from '../oci/media-types.ts';
import { gunzip } from './gunzip.ts';
import { unzstd } from './unzstd.ts';

/**
 * The uncompressed bytes. Back-pressured, in bounded memory; the source is released when the consumer returns early, and
 * its errors come through as they are.
 * @param what names the content in errors
 * @throws {@link DrayageError} `TRUNCATED`, `MALFORMED`; `UNSUPPORTED` for a zstd dictionary or a window over 128 MiB
 */
export function decompress(
  bytes: AsyncIterable<Uint8Array>,
  compression: Compression,
  what: string,
): AsyncIterable<Uint8Array> {
  if (compression === 'gzip') return gunzip(bytes, what);
  return compression === 'zstd' ? unzstd(bytes, what) : bytes;
}

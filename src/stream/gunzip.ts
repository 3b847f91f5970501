import { createGunzip } from 'node:zlib';
import { DrayageError, isError } from '../errors.ts';
import { systemCode } from '../system-error.ts';
import type { DecompressOptions } from './codec.ts';
import { boundedExpansion } from './expansion.ts';
import type { Passage } from './through.ts';
import { STREAM_BUFFERS, through } from './through.ts';

/**
 * Decompresses gzip (RFC 1952), one member or several. Ends without an error only if the input was gzip to its last
 * byte.
 * @param what names the content in errors
 * @throws {@link DrayageError} `TRUNCATED`, also for empty input; `MALFORMED` for damage and for anything after the
 * last member, including zeros
 */
export async function* gunzip(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  { freesChunks }: Pick<DecompressOptions, 'freesChunks'> = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = createGunzip(STREAM_BUFFERS);
  const passage: Passage = { received: 0, freesChunks };
  try {
    yield* boundedExpansion(bytes, (counted) => through(counted, decoder, passage));
  } catch (error) {
    throw error === passage.failure ? error : gzipError(error, what);
  }
  // Node treats zeros as padding and then ignores whatever follows them, even another member.
  if (decoder.bytesWritten !== passage.received) {
    throw new DrayageError('MALFORMED', `${what} has bytes after its gzip data`, {
      expected: decoder.bytesWritten,
      actual: passage.received,
    });
  }
}

function gzipError(cause: unknown, what: string): unknown {
  const code = systemCode(cause);
  if (code === 'Z_BUF_ERROR')
    return new DrayageError('TRUNCATED', `${what} ends within its gzip data`, { cause });
  if (code?.startsWith('Z_') !== true || code === 'Z_MEM_ERROR') return cause;
  const reason = isError(cause) ? cause.message : code;
  return new DrayageError('MALFORMED', `${what} is not valid gzip: ${reason}`, { cause });
}

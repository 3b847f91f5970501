import { DrayageError, isError } from '../errors.ts';
import { systemCode } from '../system-error.ts';
import type { DecompressCall } from './codec.ts';
import { boundedOutput } from './codec.ts';
import type { Passage } from './through.ts';
import { STREAM_BUFFERS, through } from './through.ts';
import type { DecodeFrame, ZstdPiece } from './zstd-frames.ts';
import { MAX_WINDOW_LOG } from './zstd-header.ts';
import type { FrameStart } from './zstd-small-frame.ts';
import { gather } from './zstd-small-frame.ts';
import type { NativeZstd } from './zstd-runtime.ts';

/** Decompresses frames with Node's own zstd: small ones in one call, others as a stream beside the event loop. */
export function nativeFrameDecoder(zstd: NativeZstd): DecodeFrame {
  const params = paramsOf(zstd);
  return async function* decode(frame, what, { freesChunks } = {}) {
    const start = await gather(frame);
    if (start.whole) {
      yield atOnce(zstd, start, what);
      return;
    }
    const passage: Passage = { received: 0, freesChunks };
    try {
      const decoder = zstd.createZstdDecompress({ ...STREAM_BUFFERS, params });
      // Node 22 frees the window of a closed decoder only when it collects garbage, a reset at once.
      decoder.once('end', () => decoder.reset());
      yield* through(joined(start.pieces, frame.pieces), decoder, passage);
    } catch (error) {
      throw error === passage.failure ? error : zstdError(error, what);
    }
  };
}

/** How to decompress a frame in one call, into at most `size` bytes. */
export function frameCall(zstd: NativeZstd, size: number): DecompressCall {
  return { name: 'zstdDecompressSync', options: { ...boundedOutput(size), params: paramsOf(zstd) } };
}

function paramsOf({ constants }: NativeZstd): Record<number, number> {
  return { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG };
}

function atOnce(zstd: NativeZstd, start: FrameStart, what: string): Uint8Array {
  const { options } = frameCall(zstd, start.maxOutput);
  try {
    return zstd.zstdDecompressSync(Buffer.concat(start.pieces.map(({ bytes }) => bytes)), options);
  } catch (error) {
    throw zstdError(error, what);
  }
}

async function* joined(
  start: readonly ZstdPiece[],
  pieces: AsyncIterable<ZstdPiece>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const { bytes } of start) yield bytes;
  for await (const piece of pieces) yield piece.bytes;
}

function zstdError(cause: unknown, what: string): unknown {
  const code = systemCode(cause);
  const damaged =
    code === 'ERR_BUFFER_TOO_LARGE' || /^Z(?:STD_error)?_(?!.*memory_allocation)/.test(code ?? '');
  if (!damaged || !isError(cause)) return cause;
  return new DrayageError('MALFORMED', `${what} is not valid zstd: ${cause.message}`, { cause });
}

import { DrayageError } from '../errors.ts';
import { systemCode } from '../system-error.ts';
import type { Passage } from './through.ts';
import { STREAM_BUFFERS, through } from './through.ts';
import type { DecodeFrame, ZstdFrame, ZstdPiece } from './zstd-frames.ts';
import { MAX_WINDOW_LOG } from './zstd-header.ts';
import type { NativeZstd, NativeZstdOptions } from './zstd-runtime.ts';

/**
 * A frame with at most this much output, in bytes, is decompressed in one call: a stream would cost more than the work.
 */
const ONE_CALL = 256 * 1024;

/** Decompresses frames with Node's own zstd: small ones in one call, others as a stream beside the event loop. */
export function nativeFrameDecoder(zstd: NativeZstd): DecodeFrame {
  const params = { [zstd.constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG };
  return async function* decode(frame, what) {
    const start = await gather(frame);
    if (start.whole) {
      yield atOnce(zstd, start, params, what);
      return;
    }
    const passage: Passage = { received: 0 };
    try {
      const decoder = zstd.createZstdDecompress({ ...STREAM_BUFFERS, params });
      yield* through(joined(start.bytes, frame.pieces), decoder, passage);
    } catch (error) {
      throw error === passage.failure ? error : zstdError(error, what);
    }
  };
}

interface Start {
  bytes: Uint8Array[];
  /** The maximum output of the gathered pieces. */
  maxOutput: number;
  /** Whether this is all of the frame. */
  whole: boolean;
}

/** Gathers pieces while the frame may be small. */
async function gather({ header, pieces }: ZstdFrame): Promise<Start> {
  const start: Start = { bytes: [], maxOutput: 0, whole: false };
  if (header.contentSize !== undefined && header.contentSize > ONE_CALL) return start;
  let size = 0;
  // Not `for await`: leaving it early would close the pieces, and the rest of them may be needed.
  while (!start.whole && size <= ONE_CALL && start.maxOutput <= ONE_CALL) {
    const next = await pieces.next();
    if (next.done === true) break;
    start.bytes.push(next.value.bytes);
    start.maxOutput += next.value.maxOutput;
    size += next.value.bytes.length;
    start.whole = next.value.last;
  }
  return start;
}

function atOnce(
  zstd: NativeZstd,
  start: Start,
  params: NativeZstdOptions['params'] & {},
  what: string,
): Uint8Array {
  // One byte more than the output: if the output fills the buffer exactly, Node calls the decoder again.
  const chunkSize = Math.max(start.maxOutput + 1, 64);
  try {
    return zstd.zstdDecompressSync(Buffer.concat(start.bytes), {
      chunkSize,
      maxOutputLength: chunkSize,
      params,
    });
  } catch (error) {
    throw zstdError(error, what);
  }
}

async function* joined(
  start: Uint8Array[],
  pieces: AsyncIterable<ZstdPiece>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* start;
  for await (const piece of pieces) yield piece.bytes;
}

function zstdError(cause: unknown, what: string): unknown {
  const code = systemCode(cause);
  const damaged =
    code === 'ERR_BUFFER_TOO_LARGE' || /^Z(?:STD_error)?_(?!.*memory_allocation)/.test(code ?? '');
  if (!damaged || !(cause instanceof Error)) return cause;
  return new DrayageError('MALFORMED', `${what} is not valid zstd: ${cause.message}`, { cause });
}

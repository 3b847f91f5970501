import type { DecompressCall, TakePart } from './codec.ts';
import { MAX_PART } from './codec.ts';
import type { ZstdFrame, ZstdPiece } from './zstd-frames.ts';
import { MAX_WINDOW_LOG } from './zstd-header.ts';

/** A frame with at most this much output is decompressed in one call where that is possible. */
const AT_ONCE: FrameLimits = { size: 256 * 1024, maxOutput: 256 * 1024, pieces: Infinity };

/**
 * A frame within these limits is offered as a part. The maximum output says little here: encoders make blocks that are
 * smaller than they may be. So the number of pieces is limited.
 */
const PART: FrameLimits = { size: MAX_PART, maxOutput: Infinity, pieces: 512 };

/** The first pieces of a frame. */
export interface FrameStart {
  pieces: ZstdPiece[];
  /** The maximum output of these pieces. */
  maxOutput: number;
  /** Whether they are all of the frame. */
  whole: boolean;
}

/** The largest frame that is gathered whole. */
interface FrameLimits {
  /** Bytes of the compressed frame, and of the content that its header states. */
  size: number;
  /** As in {@link FrameStart}. */
  maxOutput: number;
  /** The number of pieces. */
  pieces: number;
}

/** Gathers the pieces of a frame while it may be within the limits. The others stay in the frame. */
export async function gather(
  { header, pieces }: ZstdFrame,
  limits: FrameLimits = AT_ONCE,
): Promise<FrameStart> {
  const start: FrameStart = { pieces: [], maxOutput: 0, whole: false };
  if (header.contentSize !== undefined && header.contentSize > limits.size) return start;
  let size = 0;
  // Not `for await`: leaving it early would close the pieces, and the rest of them may be needed.
  const isWithin = (): boolean =>
    size <= limits.size && start.maxOutput <= limits.maxOutput && start.pieces.length < limits.pieces;
  while (!start.whole && isWithin()) {
    const next = await pieces.next();
    if (next.done === true) break;
    start.pieces.push(next.value);
    start.maxOutput += next.value.maxOutput;
    size += next.value.bytes.length;
    start.whole = next.value.last;
  }
  return start;
}

/**
 * The same frame with a window that is no larger than its content, if it is small. A decoder makes room for the window
 * that a frame states, and a frame of a few bytes may state 128 MiB.
 */
export async function withOwnWindow(frame: ZstdFrame): Promise<ZstdFrame> {
  const start = await gather(frame);
  const log = Math.max(10, Math.ceil(Math.log2(Math.max(1, start.maxOutput))));
  const isSmaller = start.whole && log <= MAX_WINDOW_LOG && 2 ** log < frame.header.windowSize;
  const [first, ...rest] = start.pieces;
  if (!isSmaller || first === undefined)
    return { ...frame, pieces: joined(start.pieces, start.whole ? undefined : frame.pieces) };
  const bytes = Uint8Array.from(first.bytes);
  // A frame without a window descriptor is a single segment, whose window is its content.
  const hasWindow = ((bytes[4] ?? 0) & 0x20) === 0;
  if (hasWindow) bytes[5] = (log - 10) << 3;
  const windowSize = hasWindow ? 2 ** log : frame.header.windowSize;
  return {
    header: { ...frame.header, windowSize },
    pieces: joined([{ ...first, bytes }, ...rest], undefined),
  };
}

/**
 * Offers a small frame as a part.
 * @param callFor makes the call that decompresses it into at most `size` bytes
 * @returns undefined if it was taken; otherwise the frame with all of its pieces
 */
export async function offerFrame(
  frame: ZstdFrame,
  takePart: TakePart,
  callFor: (size: number) => DecompressCall,
): Promise<ZstdFrame | undefined> {
  const { contentSize } = frame.header;
  if (contentSize === undefined) return frame;
  const start = await gather(frame, PART);
  const chunks = start.pieces.map(({ bytes }) => bytes);
  if (start.whole && (await takePart({ call: callFor(contentSize), chunks, size: contentSize })))
    return undefined;
  return { ...frame, pieces: joined(start.pieces, start.whole ? undefined : frame.pieces) };
}

async function* joined(
  start: readonly ZstdPiece[],
  rest: AsyncGenerator<ZstdPiece, void, undefined> | undefined,
): AsyncGenerator<ZstdPiece, void, undefined> {
  yield* start;
  if (rest !== undefined) yield* rest;
}

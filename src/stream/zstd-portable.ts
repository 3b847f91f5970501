import { Decompress } from 'fzstd';
import { asError, DrayageError } from '../errors.ts';
import { readyToFree } from './free-memory.ts';
import { SlidingWindow } from './sliding-window.ts';
import type { ZstdFrame } from './zstd-frames.ts';
import { FRAME_MAGIC, MAX_BLOCK_SIZE } from './zstd-header.ts';

/** The state of fzstd's decoder within a frame: its window, newest byte last, and the window's length. */
interface DecoderState {
  w: Uint8Array;
  e: number;
}

/** fzstd reads a frame from this many bytes on. Until then it may have several blocks, of at most this much output. */
const FIRST_BYTES = 18;
const FIRST_WINDOW_LOG = 19;

/** Stands for the window while fzstd moves and fills it in vain. */
const UNUSED = new Uint8Array(MAX_BLOCK_SIZE);

/**
 * Decompresses one frame in JavaScript, for a Node without zstd. Ignores the frame's checksum.
 *
 * fzstd makes room for the whole window at once, and moves all of it with every block: 128 MiB for three bytes. Here it
 * gets a small window for the first blocks, and then one that slides.
 * @param what names the content in errors
 * @throws {@link DrayageError} `MALFORMED`
 */
export async function* decodeFramePortably(
  { header, pieces }: ZstdFrame,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  // The next frame may get its window as soon as this one has ended.
  await readyToFree();
  const window = new SlidingWindow(header.windowSize);
  let output: Uint8Array[] = [];
  let received = 0;
  const decoder = new Decompress((chunk, last) => {
    output.push(chunk);
    window.append(chunk);
    // What is moved and filled after this call is thrown away.
    if (received > FIRST_BYTES && !last) stateOf(decoder).w = UNUSED;
  });
  try {
    // Block by block, because each push is decompressed before it returns: a few bytes may become 128 KiB.
    for await (const piece of pieces) {
      const isHeader = received === 0;
      try {
        decoder.push(isHeader ? smallHeader(header.hasChecksum) : piece.bytes, piece.last);
      } catch (cause) {
        throw new DrayageError('MALFORMED', `${what} is not valid zstd: ${asError(cause).message}`, {
          cause,
        });
      }
      received += isHeader ? 6 : piece.bytes.length;
      if (received >= FIRST_BYTES && !piece.last) {
        const state = stateOf(decoder);
        state.w = window.bytes;
        state.e = state.w.length;
        received = FIRST_BYTES + 1;
      }
      yield* output;
      output = [];
    }
  } finally {
    window.release();
  }
}

/** A header that states a small window, and nothing else but whether there is a checksum. */
function smallHeader(hasChecksum: boolean): Uint8Array {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt32LE(FRAME_MAGIC);
  bytes[4] = hasChecksum ? 0x04 : 0;
  bytes[5] = (FIRST_WINDOW_LOG - 10) << 3;
  return bytes;
}

/** Not part of fzstd's interface: a test compares what it decompresses with large windows. */
function stateOf(decoder: object): DecoderState {
  const state: unknown = 's' in decoder ? decoder.s : undefined;
  if (isState(state)) return state;
  throw new TypeError('the decoder has no state');
}

function isState(value: unknown): value is DecoderState {
  return typeof value === 'object' && value !== null && 'w' in value && 'e' in value;
}

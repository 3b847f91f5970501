import { DrayageError } from '../errors.ts';
import { countBytes } from './drain.ts';
import { boundedExpansion } from './expansion.ts';
import type { DecodeFrame, ZstdFrame } from './zstd-frames.ts';
import { zstdFrames } from './zstd-frames.ts';
import { frameCall, nativeFrameDecoder } from './zstd-native.ts';
import { nativeZstd } from './zstd-runtime.ts';
import { offerFrame, withOwnWindow } from './zstd-small-frame.ts';
import type { DecompressOptions } from './codec.ts';
import type { Windows } from './zstd-windows.ts';
import { ContainerWindows, contentWindows } from './zstd-windows.ts';

/** The decoder for the current Node: its own zstd, otherwise one in JavaScript, at a quarter of the speed. */
export function runtimeFrameDecoder(): DecodeFrame {
  const native = nativeZstd();
  return native === undefined ? decodePortably : nativeFrameDecoder(native);
}

let portable: Promise<{ decodeFramePortably: DecodeFrame }> | undefined;

/** Loads the decoder in JavaScript with the first frame: a Node with zstd never needs it. Each import costs, also a known one. */
async function* decodePortably(frame: ZstdFrame, what: string): AsyncGenerator<Uint8Array, void, undefined> {
  portable ??= import('./zstd-portable.ts');
  const { decodeFramePortably } = await portable;
  yield* decodeFramePortably(frame, what);
}

/**
 * Decompresses zstd (RFC 8878), any number of frames. Ends without an error only if the input was zstd to its last
 * byte; empty input is valid. Memory is bounded by the window, 128 MiB at most, not by the length of a frame.
 * @param what names the content in errors
 * @param decode decompresses one frame; default: the fastest way that this Node has
 * @throws {@link DrayageError} `TRUNCATED`; `MALFORMED`, also if a frame does not have its stated size; `UNSUPPORTED`
 * for a dictionary or a window over 128 MiB, and as {@link Windows.take}; `LIMIT` beyond the run's budget
 */
export async function* unzstd(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  decode: DecodeFrame = runtimeFrameDecoder(),
  { putAside, ...options }: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  if (putAside === undefined) yield* decodeAll(bytes, what, decode, contentWindows(), options);
  else yield* decodeContainer(bytes, what, decode, putAside);
}

async function* decodeContainer(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  decode: DecodeFrame,
  putAside: NonNullable<DecompressOptions['putAside']>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const windows = new ContainerWindows(what);
  const all = decodeAll(bytes, what, decode, windows);
  try {
    // The first frame says whether there is memory for its content beside it.
    const first = await all.next();
    const chunks = startingWith(first, all);
    yield* windows.isLarge ? putAside(chunks) : chunks;
  } finally {
    // `chunks` is not the one to end it: nobody may have begun to read that.
    await all.return();
  }
}

async function* decodeAll(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  decode: DecodeFrame,
  windows: Windows,
  { takePart, freesChunks }: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const native = nativeZstd();
  let take = native && takePart;
  const decodeOne: DecodeFrame = (frame, name) => decode(frame, name, { freesChunks });
  yield* boundedExpansion(bytes, async function* (counted, spend) {
    try {
      for await (const frame of zstdFrames(counted, what)) {
        const rest =
          native && take ? await offerFrame(frame, take, (size) => frameCall(native, size)) : frame;
        if (rest === undefined) spend(frame.header.contentSize ?? 0);
        else {
          take = undefined;
          yield* decodeFrame(rest, what, decodeOne, windows);
        }
      }
    } finally {
      windows.end();
    }
  });
}

async function* startingWith<T>(
  first: IteratorResult<T, void>,
  rest: AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  if (first.done !== true) yield first.value;
  yield* rest;
}

/**
 * Reads zstd to its end and returns the decompressed size. Believes frames that state their size. Parameters and errors
 * as in {@link unzstd}.
 */
export async function unzstdSize(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  decode: DecodeFrame = runtimeFrameDecoder(),
): Promise<number> {
  let size = 0;
  const windows = contentWindows();
  const unstated = boundedExpansion(bytes, async function* (counted) {
    for await (const frame of zstdFrames(counted, what)) {
      if (frame.header.contentSize === undefined) yield* withWindow(frame, what, decode, windows);
      else size += frame.header.contentSize;
    }
  });
  return (await countBytes(unstated)) + size;
}

async function* decodeFrame(
  frame: ZstdFrame,
  what: string,
  decode: DecodeFrame,
  windows: Windows,
): AsyncGenerator<Uint8Array, void, undefined> {
  const expected = frame.header.contentSize;
  let actual = 0;
  for await (const chunk of withWindow(frame, what, decode, windows)) {
    actual += chunk.length;
    if (expected !== undefined && actual > expected) break;
    if (chunk.length > 0) yield chunk;
  }
  if (expected === undefined || actual === expected) return;
  const found = actual > expected ? 'more' : `only ${actual}`;
  throw new DrayageError(
    'MALFORMED',
    `${what} is not valid zstd: a frame of ${expected} bytes has ${found}`,
    {
      expected,
      actual,
    },
  );
}

/** Decompresses a frame when there is memory for its window. */
async function* withWindow(
  frame: ZstdFrame,
  what: string,
  decode: DecodeFrame,
  windows: Windows,
): AsyncGenerator<Uint8Array, void, undefined> {
  const small = await withOwnWindow(frame);
  const release = await windows.take(small.header.windowSize);
  try {
    yield* decode(small, what);
  } finally {
    release();
  }
}

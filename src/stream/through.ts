import { pipeline } from 'node:stream';
import type { Transform } from 'node:stream';
import { freeMemory } from './free-memory.ts';

/**
 * Buffer sizes of `node:zlib` streams for {@link through}, in bytes. Node's chunks of 16 KiB cost a third of the speed.
 * Without room for some chunks of output, decoding waits while the consumer works, for example hashes.
 */
export const STREAM_BUFFERS: { chunkSize: number; readableHighWaterMark: number } = {
  chunkSize: 256 * 1024,
  readableHighWaterMark: 1024 * 1024,
};

/** How bytes pass through {@link through}, and the facts that it records meanwhile. */
export interface Passage {
  /** Bytes that went in so far. */
  received: number;
  /** As in `DecompressOptions`. */
  freesChunks?: boolean | undefined;
  /** The source's own error, if it failed. Distinguishes it from errors of the transform. */
  failure?: unknown;
}

/**
 * Passes bytes through a transform. Reads ahead no more than its buffers hold. The transform is destroyed at the end,
 * after an error of either side, and if the consumer returns early. Then the source is released without waiting for a
 * chunk that it still owes. Errors of the source are thrown as they are.
 */
export async function* through(
  bytes: AsyncIterable<Uint8Array>,
  transform: Transform,
  passage: Passage = { received: 0 },
): AsyncGenerator<Uint8Array, void, undefined> {
  // For the life of the transform: Node 24's zstd stream may emit an error after its output has ended.
  transform.on('error', () => {});
  // The loop below sees errors, because it reads the stream that pipeline destroys.
  pipeline(observed(bytes, passage), transform, () => {});
  // Leaving this loop in any way destroys the transform.
  const output: AsyncIterable<Uint8Array> = transform;
  for await (const chunk of output) {
    yield chunk;
    // Several chunks may share one buffer. The decoder writes no more into it after the chunk at its end.
    const isLast = chunk.byteOffset + chunk.length === chunk.buffer.byteLength;
    if (passage.freesChunks === true && isLast) freeMemory(chunk);
  }
}

async function* observed(
  bytes: AsyncIterable<Uint8Array>,
  passage: Passage,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of bytes) {
      passage.received += chunk.length;
      yield chunk;
    }
  } catch (error) {
    passage.failure = error;
    throw error;
  }
}

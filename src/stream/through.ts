import { pipeline } from 'node:stream';
import type { Transform } from 'node:stream';

/**
 * How a stream of `node:zlib` is to be made for {@link through}, in bytes. With Node's chunks of 16 KiB a third of the
 * speed is lost; and without room for some chunks of output, decoding waits while the consumer works, hashing say.
 */
export const STREAM_BUFFERS: { chunkSize: number; readableHighWaterMark: number } = {
  chunkSize: 256 * 1024,
  readableHighWaterMark: 1024 * 1024,
};

/** What {@link through} learns while bytes pass. */
export interface Passage {
  /** Bytes that went in so far. */
  received: number;
  /** The source's own error, if it failed: tells it from errors of the transform. */
  failure?: unknown;
}

/**
 * Passes bytes through a transform, reading ahead no more than its buffers hold. The transform is destroyed at the end,
 * on an error of either side, and when the consumer returns early; the source is released then, without waiting for a
 * chunk that it still owes. Errors of the source come through as they are.
 */
export async function* through(
  bytes: AsyncIterable<Uint8Array>,
  transform: Transform,
  passage: Passage = { received: 0 },
): AsyncGenerator<Uint8Array, void, undefined> {
  // For as long as the transform lives: Node 24's zstd stream may emit an error after its output has ended.
  transform.on('error', () => {});
  // Errors are seen by the loop below, which reads the stream that pipeline destroys.
  pipeline(observed(bytes, passage), transform, () => {});
  // Leaving this loop, in whatever way, destroys the transform.
  const output: AsyncIterable<Uint8Array> = transform;
  for await (const chunk of output) yield chunk;
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

import type { FillableBytes } from '../../src/stream/fillable.ts';

/** The ways in which the same bytes may arrive. */
export const CHUNKINGS: readonly { name: string; size: number }[] = [
  { name: 'in chunks of 1 byte', size: 1 },
  { name: 'in chunks of 7 bytes', size: 7 },
  { name: 'as a whole', size: Infinity },
];

/** A source that can be watched. */
export interface Source extends AsyncIterable<Uint8Array> {
  /** Whether it was read to its end, or told that no more is wanted. */
  closed: boolean;
  /** Chunks that were handed out. */
  chunks: number;
}

/** Bytes in chunks of `size`; after the last one, `error` is thrown if there is one. */
export function source(bytes: Uint8Array, size: number = Infinity, error?: Error): Source {
  const watched: Source = {
    closed: false,
    chunks: 0,
    async *[Symbol.asyncIterator]() {
      try {
        for (let at = 0; at < bytes.length; at += size) {
          watched.chunks += 1;
          yield bytes.subarray(at, Math.min(at + size, bytes.length));
        }
        if (error !== undefined) throw error;
      } finally {
        watched.closed = true;
      }
    },
  };
  return watched;
}

/** All the bytes. */
export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The error that reading ends with. */
export async function failure(bytes: AsyncIterable<Uint8Array>): Promise<unknown> {
  try {
    await collect(bytes);
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Waits until something that happens beside the caller has happened. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !condition(); turn++)
    await new Promise((resolve) => setImmediate(resolve));
}

/** Bytes that fill the reader's memory, at most `size` at a time; after the last one, `error` is thrown if there is one. */
export class FillingSource implements FillableBytes {
  readonly fillsDirectly = true;
  /** Bytes that were asked for in chunks. */
  inChunks = 0;
  destroyed = false;
  #rest: Uint8Array;
  readonly #size: number;
  readonly #error: Error | undefined;

  constructor(bytes: Uint8Array, size: number = Infinity, error?: Error) {
    this.#rest = bytes;
    this.#size = size;
    this.#error = error;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = new Uint8Array(65_536);
      const count = await this.readInto(chunk);
      if (count === 0) return;
      this.inChunks += count;
      yield chunk.subarray(0, count);
    }
  }

  async readInto(target: Uint8Array): Promise<number> {
    // As a real source does, it answers later.
    await new Promise((resolve) => setImmediate(resolve));
    const part = this.#rest.subarray(0, Math.min(target.length, this.#size));
    if (part.length === 0 && this.#error !== undefined) throw this.#error;
    target.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return part.length;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

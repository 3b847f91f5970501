import { freeMemory } from './free-memory.ts';
import { MAX_BLOCK_SIZE } from './zstd-header.ts';

/** How much is appended before the window is moved to the beginning of its memory, in bytes. A small one fits twice. */
const SLACK = 4 * 1024 * 1024;

/**
 * How much memory of an ended window is kept for the next one, in bytes: enough for the window of all levels up to 19. A
 * larger memory is freed at once, because what waited for it begins at once, and a collection comes late.
 */
const MAX_SPARE = 8 * 1024 * 1024 + SLACK;

/** The largest memory that is kept. It saves the many frames of a stream from zeroing memory. */
let spare: WeakRef<Uint8Array> | undefined;

/**
 * The last bytes of a stream, up to the size of a window, in one piece. Appending costs what is appended: the window
 * moves in its memory, and is copied back only now and then. Memory that is not reached is not used.
 */
export class SlidingWindow {
  readonly #size: number;
  /** How much of the memory is used: less than there is, if it was that of a larger window. */
  readonly #capacity: number;
  #memory: Uint8Array;
  #end = 0;

  /** @param size the maximum that is kept, in bytes */
  constructor(size: number) {
    this.#size = size;
    this.#capacity = size + Math.max(MAX_BLOCK_SIZE, Math.min(SLACK, size));
    this.#memory = memoryFor(this.#capacity);
  }

  /** What is kept, the newest byte last. Valid until the next call of {@link append}. */
  get bytes(): Uint8Array {
    return this.#memory.subarray(Math.max(0, this.#end - this.#size), this.#end);
  }

  /** @param chunk at most 128 KiB */
  append(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#capacity) {
      const kept = this.bytes;
      this.#memory.copyWithin(0, kept.byteOffset - this.#memory.byteOffset, this.#end);
      this.#end = kept.length;
    }
    this.#memory.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** Frees the memory, or gives it to the next window. This one must not be used any more. */
  release(): void {
    const memory = this.#memory;
    this.#memory = new Uint8Array(0);
    if (memory.length > MAX_SPARE) freeMemory(memory);
    else if (memory.length > (spare?.deref()?.length ?? 0)) spare = new WeakRef(memory);
  }
}

function memoryFor(capacity: number): Uint8Array {
  const found = spare?.deref();
  if (found === undefined || found.length < capacity) return new Uint8Array(capacity);
  spare = undefined;
  return found;
}

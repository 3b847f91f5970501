/** How much is appended before the window is moved to the beginning of its memory, in bytes. */
const SLACK = 16 * 1024 * 1024;
/** The most that is appended at once, in bytes: a block of zstd. */
const MAX_CHUNK = 128 * 1024;

/**
 * The last bytes of a stream, up to the size of a window, in one piece. Appending costs what is appended: the window
 * moves in its memory, and is copied back only now and then. Memory that is not reached is not used.
 */
export class SlidingWindow {
  readonly #size: number;
  readonly #memory: Uint8Array;
  #end = 0;

  /** @param size the maximum that is kept, in bytes */
  constructor(size: number) {
    this.#size = size;
    this.#memory = new Uint8Array(size + Math.max(MAX_CHUNK, Math.min(SLACK, size)));
  }

  /** What is kept, the newest byte last. Valid until the next call of {@link append}. */
  get bytes(): Uint8Array {
    return this.#memory.subarray(Math.max(0, this.#end - this.#size), this.#end);
  }

  /** @param chunk at most 128 KiB */
  append(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#memory.length) {
      const kept = this.bytes;
      this.#memory.copyWithin(0, kept.byteOffset - this.#memory.byteOffset, this.#end);
      this.#end = kept.length;
    }
    this.#memory.set(chunk, this.#end);
    this.#end += chunk.length;
  }
}

import type { FillableBytes } from '../stream/fillable.ts';
import { nextChunk } from '../stream/fillable.ts';

/** An open file, as {@link FileBytes} reads it: a file handle, for example. */
export interface ReadableFile {
  /** Reads at most `length` bytes into `target` at `offset`, from the file's current position if that is null. */
  read(target: Uint8Array, offset: number, length: number, position: null): Promise<{ bytesRead: number }>;
  close(): Promise<void>;
}

/** Bytes per chunk, when chunks are asked for. */
const CHUNK = 64 * 1024;

/** The bytes of an open file, once, from its current position. The file is closed at the end, or when it is destroyed. */
export class FileBytes implements FillableBytes, AsyncIterableIterator<Uint8Array, void, undefined> {
  readonly fillsDirectly = true;
  readonly #handle: ReadableFile;
  #reading: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(handle: ReadableFile) {
    this.#handle = handle;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array, void>> {
    return nextChunk(this, CHUNK);
  }

  async readInto(target: Uint8Array): Promise<number> {
    if (this.#closed) return 0;
    const reading = this.#handle.read(target, 0, target.length, null);
    this.#reading = reading;
    try {
      const { bytesRead } = await reading;
      if (bytesRead === 0) this.destroy();
      return bytesRead;
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  async return(): Promise<IteratorReturnResult<void>> {
    this.destroy();
    return { done: true, value: undefined };
  }

  /** Closes the file, when a read that has begun is done. */
  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    const close = (): Promise<void> => this.#handle.close();
    this.#reading.then(close, close).catch(() => undefined);
  }
}

import type { FillableBytes } from './fillable.ts';
import { isFillable } from './fillable.ts';

/** From this many bytes on, they are read into the caller's memory without a chunk in between, if the source can. */
const DIRECT = 32 * 1024;

/**
 * Reads exact numbers of bytes from chunks of any size. Holds at most one chunk and one result. Iterating yields the
 * unread rest, in the chunks of the source; stopping early releases the source.
 */
export class ByteReader implements FillableBytes, AsyncIterableIterator<Uint8Array, void, undefined> {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #fillable: FillableBytes | undefined;
  readonly #onChunk: ((chunk: Uint8Array) => void) | undefined;
  #chunk: Uint8Array = new Uint8Array(0);
  #pending = false;
  #ended = false;

  /** @param onChunk sees the bytes as they come from the source; it must not keep them */
  constructor(bytes: AsyncIterable<Uint8Array>, onChunk?: (chunk: Uint8Array) => void) {
    this.#source = bytes[Symbol.asyncIterator]();
    this.#fillable = isFillable(bytes) ? bytes : undefined;
    this.#onChunk = onChunk;
  }

  get fillsDirectly(): boolean {
    return this.#fillable !== undefined;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, void>> {
    const value = await this.some(Infinity);
    return value.length > 0 ? { done: false, value } : { done: true, value: undefined };
  }

  async return(): Promise<IteratorReturnResult<void>> {
    await this.release();
    return { done: true, value: undefined };
  }

  /** The next `count` bytes, which stay unread; fewer only at the end of input. Errors of the source are thrown. */
  async peek(count: number): Promise<Uint8Array> {
    const before = this.#chunk;
    if (before.length < count && (await this.#fill())) {
      this.#chunk = Buffer.concat([before, this.#chunk]);
      return this.peek(count);
    }
    return this.#chunk.subarray(0, count);
  }

  /**
   * The next `count` bytes; fewer only at the end of input. Errors of the source are thrown as they are. The result may
   * share memory with a chunk of the source.
   */
  async read(count: number): Promise<Uint8Array> {
    if (this.#chunk.length === 0) await this.#fill();
    if (this.#chunk.length >= count || this.#ended) return this.#take(count);
    const whole = Buffer.allocUnsafe(count);
    let size = 0;
    do {
      const part = this.#take(count - size);
      whole.set(part, size);
      size += part.length;
    } while (size < count && (await this.#fill()));
    return whole.subarray(0, size);
  }

  /** The next bytes as they arrive, at least one and at most `max`; empty only at the end of input. Never copies. */
  async some(max: number): Promise<Uint8Array> {
    if (this.#chunk.length === 0) await this.#fill();
    return this.#take(max);
  }

  /** The next bytes as they arrive. A source that can fill memory fills `target` itself; else they are copied once. */
  async readInto(target: Uint8Array): Promise<number> {
    const isDirect = this.#chunk.length === 0 && !this.#ended && target.length >= DIRECT;
    if (!isDirect || this.#fillable === undefined) {
      const bytes = await this.some(target.length);
      target.set(bytes);
      return bytes.length;
    }
    const source = this.#fillable;
    const count = await this.#pull(() => source.readInto(target));
    if (count === 0) this.#ended = true;
    else this.#onChunk?.(target.subarray(0, count));
    return count;
  }

  /** Skips `count` bytes without keeping them. Returns how many there were. */
  async skip(count: number): Promise<number> {
    let missing = count;
    while (missing > 0 && (this.#chunk.length > 0 || (await this.#fill())))
      missing -= this.#take(missing).length;
    return count - missing;
  }

  /**
   * Ends the reading and releases the source. Does not wait for a source that still owes a chunk, which may never
   * arrive.
   */
  async release(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#chunk = new Uint8Array(0);
    const returned = this.#source.return?.();
    if (this.#pending) returned?.catch(() => {});
    else await returned;
  }

  #take(count: number): Uint8Array {
    const taken = this.#chunk.subarray(0, count);
    this.#chunk = this.#chunk.subarray(taken.length);
    return taken;
  }

  /** Replaces the current chunk by the next one that is not empty. */
  async #fill(): Promise<boolean> {
    while (!this.#ended) {
      const next = await this.#pull(() => this.#source.next());
      if (next.done === true) {
        this.#ended = true;
        return false;
      }
      this.#onChunk?.(next.value);
      if (next.value.length > 0) {
        this.#chunk = next.value;
        return true;
      }
    }
    return false;
  }

  async #pull<T>(read: () => Promise<T>): Promise<T> {
    this.#pending = true;
    try {
      return await read();
    } catch (error) {
      this.#ended = true;
      throw error;
    } finally {
      this.#pending = false;
    }
  }
}

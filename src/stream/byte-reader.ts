/** Reads exact numbers of bytes from chunks of any size. Holds no more than one chunk and one answer. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #pending = false;
  #ended = false;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#source = bytes[Symbol.asyncIterator]();
  }

  /**
   * The next `count` bytes; fewer only at the end of input. Errors of the source come through as they are.
   * The answer may share memory with a chunk of the source.
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

  /** The next bytes as they come, at least one and at most `max`; none only at the end of input. Never copies. */
  async some(max: number): Promise<Uint8Array> {
    if (this.#chunk.length === 0) await this.#fill();
    return this.#take(max);
  }

  /** Passes over `count` bytes without keeping them and says how many there were. */
  async skip(count: number): Promise<number> {
    let missing = count;
    while (missing > 0 && (this.#chunk.length > 0 || (await this.#fill())))
      missing -= this.#take(missing).length;
    return count - missing;
  }

  /** All that has not been read yet, in the chunks of the source. */
  async *rest(): AsyncGenerator<Uint8Array, void, undefined> {
    while (this.#chunk.length > 0 || (await this.#fill())) yield this.#take(this.#chunk.length);
  }

  /** Ends the reading. The source is told to clean up; it is awaited unless it still owes a chunk, which may never come. */
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

  /** Gets the next chunk that is not empty, once the present one is used up. */
  async #fill(): Promise<boolean> {
    while (!this.#ended) {
      const next = await this.#pull();
      if (next.done === true) this.#ended = true;
      else if (next.value.length > 0) {
        this.#chunk = next.value;
        return true;
      }
    }
    return false;
  }

  async #pull(): Promise<IteratorResult<Uint8Array>> {
    this.#pending = true;
    try {
      return await this.#source.next();
    } catch (error) {
      this.#ended = true;
      throw error;
    } finally {
      this.#pending = false;
    }
  }
}

import { ByteReader } from '../../stream/byte-reader.ts';

/** How much is remembered, in bytes. */
const TAIL = 8192;

/** A reader that remembers the last bytes that came, for those who want to know why no more did. */
export class TailReader extends ByteReader {
  readonly #tail: Tail;

  /** @param onChunk sees the bytes as they come; it must not keep them */
  constructor(bytes: AsyncIterable<Uint8Array>, onChunk?: (chunk: Uint8Array) => void) {
    const tail = new Tail();
    super(bytes, (chunk) => {
      tail.add(chunk);
      onChunk?.(chunk);
    });
    this.#tail = tail;
  }

  /** The last few kilobytes that came, whether they were asked for or not. */
  tail(): Buffer {
    return this.#tail.bytes();
  }
}

/** A copy of the last bytes: the memory of a chunk may be filled again, and need not be kept for its end. */
class Tail {
  readonly #memory = Buffer.allocUnsafeSlow(TAIL);
  #size = 0;

  add(chunk: Uint8Array): void {
    const added = chunk.subarray(-TAIL);
    const kept = Math.min(this.#size, TAIL - added.length);
    if (kept > 0) this.#memory.copyWithin(0, this.#size - kept, this.#size);
    this.#memory.set(added, kept);
    this.#size = kept + added.length;
  }

  bytes(): Buffer {
    return Buffer.from(this.#memory.subarray(0, this.#size));
  }
}

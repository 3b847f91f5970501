import pLimit from 'p-limit';
import type { LimitFunction } from 'p-limit';
import type { FillableBytes } from '../stream/fillable.ts';
import { isFillable } from '../stream/fillable.ts';

/** A block of bytes in shared memory; it counts against the budget until it is released. */
export interface Slot {
  readonly bytes: Uint8Array;
  /** Returns the memory. The bytes must not be read any more. */
  release(): void;
}

/**
 * A budget of memory in slots of one size. A request beyond the budget waits, and so does its source. That bounds the
 * bytes in flight, whatever the sizes of layers.
 */
export class Slots {
  /** Bytes in a slot. */
  readonly size: number;
  readonly #free: Uint8Array[] = [];
  readonly #turns: LimitFunction;

  /** @param budget total bytes; there is at least one slot */
  constructor(size: number, budget: number) {
    this.size = size;
    this.#turns = pLimit(Math.max(1, Math.floor(budget / size)));
  }

  /**
   * Cuts bytes into blocks of the slots' size, the last one shorter. Empty input makes one empty block, so that its
   * compressed form is a valid member or frame. The consumer releases each block.
   */
  async *blocks(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Slot, void, undefined> {
    if (isFillable(bytes)) yield* this.#filled(bytes);
    else yield* this.#copied(bytes);
  }

  /** Reads straight into the blocks. */
  async *#filled(bytes: FillableBytes): AsyncGenerator<Slot, void, undefined> {
    let block: Filling | undefined;
    try {
      for (let any = false; ; any = true) {
        block = await this.#take();
        await block.fillFrom(bytes);
        if (any && block.bytes.length === 0) return;
        const { isFull } = block;
        const filled = block;
        block = undefined;
        yield filled;
        if (!isFull) return;
      }
    } finally {
      block?.release();
      await bytes[Symbol.asyncIterator]().return?.();
    }
  }

  async *#copied(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Slot, void, undefined> {
    let block: Filling | undefined;
    let any = false;
    try {
      for await (const chunk of bytes) {
        for (let start = 0; start < chunk.length;) {
          block ??= await this.#take();
          start += block.fill(chunk.subarray(start));
          if (!block.isFull) continue;
          const full = block;
          block = undefined;
          any = true;
          yield full;
        }
      }
      if (block === undefined && any) return;
      const last = block ?? (await this.#take());
      block = undefined;
      yield last;
    } finally {
      block?.release();
    }
  }

  /** Waits for a slot, which is taken until it is released. */
  #take(): Promise<Filling> {
    return new Promise((resolve) => {
      void this.#turns(async () => {
        const memory = this.#free.pop() ?? new Uint8Array(new SharedArrayBuffer(this.size));
        await new Promise<void>((released) => resolve(new Filling(memory, released)));
        this.#free.push(memory);
      });
    });
  }
}

/** A slot that is being filled. */
class Filling implements Slot {
  readonly release: () => void;
  readonly #memory: Uint8Array;
  #filled = 0;

  constructor(memory: Uint8Array, release: () => void) {
    this.#memory = memory;
    this.release = release;
  }

  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#filled);
  }

  get isFull(): boolean {
    return this.#filled === this.#memory.length;
  }

  /** Takes bytes until it is full, or they end. */
  async fillFrom(bytes: FillableBytes): Promise<void> {
    while (!this.isFull) {
      const count = await bytes.readInto(this.#memory.subarray(this.#filled));
      if (count === 0) return;
      this.#filled += count;
    }
  }

  /** Takes as many bytes as fit. Returns how many. */
  fill(bytes: Uint8Array): number {
    const part = bytes.subarray(0, this.#memory.length - this.#filled);
    this.#memory.set(part, this.#filled);
    this.#filled += part.length;
    return part.length;
  }
}

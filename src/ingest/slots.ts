import type { FillableBytes } from '../stream/fillable.ts';
import { isFillable } from '../stream/fillable.ts';
import type { MemoryUser } from './block-memory.ts';
import { BlockMemory } from './block-memory.ts';

/** A block of bytes in shared memory; it counts against the budget until it is released. */
export interface Slot {
  readonly bytes: Uint8Array;
  /** Returns the memory. The bytes must not be read any more. */
  release(): void;
}

/** Options of {@link Slots}. */
export interface SlotsOptions {
  /** The memory that others use, too. Default: one of its own. */
  memory?: BlockMemory;
  /** Blocks that it gets whatever others hold: no fewer than it has sources. Default 1. */
  least?: number;
}

/**
 * A budget of memory in slots of one size. A request beyond the budget waits, and so does its source. That bounds the
 * bytes in flight, whatever the sizes of layers. Close it at the end, for those that share the memory.
 */
export class Slots implements MemoryUser {
  /** Bytes in a slot. */
  readonly size: number;
  readonly budget: number;
  readonly #memory: BlockMemory;
  readonly #least: number;
  readonly #free: Uint8Array[] = [];
  readonly #waiting: ((memory: Uint8Array) => void)[] = [];
  #held = 0;
  #isClosed = false;
  /** How many sources are being cut. Each may hold a block while it waits for something else. */
  #sources = 0;

  /** @param budget total bytes; there is at least one slot */
  constructor(size: number, budget: number, { memory = new BlockMemory(), least = 1 }: SlotsOptions = {}) {
    this.size = size;
    this.budget = budget;
    this.#memory = memory;
    this.#least = least;
    memory.join(this);
  }

  /** Leaves the memory to others. What still runs comes to its end: it waits for nobody any more. */
  close(): void {
    this.#isClosed = true;
    this.#memory.leave(this);
    this.wake();
  }

  /** Takes slots for those that wait, in their order. */
  wake(): void {
    // Take memory for the waiters before the rest of the free blocks is dropped.
    while (this.#waiting.length > 0 && this.#hasRoom()) this.#waiting.shift()?.(this.#hold());
    const kept = this.#isClosed ? 0 : Math.max(0, this.#allowed() - this.#held);
    this.#free.length = Math.min(this.#free.length, kept);
  }

  /**
   * Cuts bytes into blocks of the slots' size, the last one shorter. Empty input makes one empty block, so that its
   * compressed form is a valid member or frame. The consumer releases each block.
   */
  async *blocks(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Slot, void, undefined> {
    this.#sources += 1;
    try {
      if (isFillable(bytes)) yield* this.#filled(bytes);
      else yield* this.#copied(bytes);
    } finally {
      this.#sources -= 1;
    }
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
  async #take(): Promise<Filling> {
    const isNext = this.#waiting.length === 0 && this.#hasRoom();
    const memory = isNext ? this.#hold() : await new Promise<Uint8Array>((go) => this.#waiting.push(go));
    return new Filling(memory, (isReusable) => {
      this.#held--;
      if (isReusable) this.#free.push(memory);
      this.#memory.release(this.size);
    });
  }

  #hold(): Uint8Array {
    this.#held++;
    this.#memory.take(this.size);
    return this.#free.pop() ?? new Uint8Array(new SharedArrayBuffer(this.size));
  }

  #hasRoom(): boolean {
    if (this.#isClosed || this.#held < this.#fewest()) return true;
    return this.#held < this.#allowed() && this.#memory.fits(this.size);
  }

  #fewest(): number {
    return Math.max(this.#least, this.#sources);
  }

  /** How many slots it may hold at present. */
  #allowed(): number {
    return Math.max(this.#fewest(), Math.floor(this.#memory.share(this) / this.size));
  }
}

/** A slot that is being filled. */
class Filling implements Slot {
  readonly #memory: Uint8Array;
  readonly #onRelease: (isReusable: boolean) => void;
  #filled = 0;
  /** Whether a source that failed may still write into the memory. */
  #isLost = false;

  constructor(memory: Uint8Array, onRelease: (isReusable: boolean) => void) {
    this.#memory = memory;
    this.#onRelease = onRelease;
  }

  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#filled);
  }

  get isFull(): boolean {
    return this.#filled === this.#memory.length;
  }

  /** Takes bytes until it is full, or they end. */
  async fillFrom(bytes: FillableBytes): Promise<void> {
    this.#isLost = true;
    while (!this.isFull) {
      const count = await bytes.readInto(this.#memory.subarray(this.#filled));
      if (count === 0) break;
      this.#filled += count;
    }
    this.#isLost = false;
  }

  release(): void {
    this.#onRelease(!this.#isLost);
  }

  /** Takes as many bytes as fit. Returns how many. */
  fill(bytes: Uint8Array): number {
    const part = bytes.subarray(0, this.#memory.length - this.#filled);
    this.#memory.set(part, this.#filled);
    this.#filled += part.length;
    return part.length;
  }
}

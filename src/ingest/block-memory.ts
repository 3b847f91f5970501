import { MAX_WINDOW_LOG } from '../stream/zstd-header.ts';
import { WINDOW_MEMORY, windowsInUse } from '../stream/zstd-windows.ts';

/** One who takes blocks out of a memory. */
export interface MemoryUser {
  /** Bytes that it may hold if it is alone. */
  readonly budget: number;
  /** Takes what it waits for, if there is room by now. */
  wake(): void;
}

/**
 * Memory for blocks, which several users share: together they hold no more than the one with the largest budget may hold
 * alone, in equal parts, and no more than there is room for. Beyond that, each holds only the few blocks without which it
 * could wait for ever.
 */
export class BlockMemory {
  readonly #users = new Set<MemoryUser>();
  readonly #room: () => number;
  #held = 0;

  /** @param room how many bytes there are at present; default: as many as are wanted */
  constructor(room: () => number = () => Infinity) {
    this.#room = room;
  }

  join(user: MemoryUser): void {
    this.#users.add(user);
  }

  leave(user: MemoryUser): void {
    this.#users.delete(user);
    this.#wakeAll();
  }

  /** Bytes that a user may hold at present. */
  share({ budget }: MemoryUser): number {
    return Math.min(budget, this.#limit() / this.#users.size);
  }

  /** Whether this many more bytes are within the budget. */
  fits(size: number): boolean {
    return this.#held + size <= this.#limit();
  }

  take(size: number): void {
    this.#held += size;
  }

  release(size: number): void {
    this.#held -= size;
    this.#wakeAll();
  }

  #limit(): number {
    return Math.min(this.#room(), Math.max(...[...this.#users].map(({ budget }) => budget)));
  }

  #wakeAll(): void {
    for (const user of this.#users) user.wake();
  }
}

/** How many bytes there are for blocks beside the windows of zstd that are in use: none beside the largest one. */
export function roomForBlocks(): number {
  return 2 ** MAX_WINDOW_LOG - windowsInUse();
}

/** Whether there is memory for threads beside the windows of zstd that are in use. */
export function hasRoomForThreads(): boolean {
  return windowsInUse() <= WINDOW_MEMORY / 2;
}

/** The memory of this process: however many saves and proofs run in it, they share one budget, beside the windows of zstd. */
export const PROCESS_MEMORY: BlockMemory = new BlockMemory(roomForBlocks);

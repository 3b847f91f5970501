import type { OnReadOpts, Socket } from 'node:net';
import type { FillableBytes } from './fillable.ts';

/** Bytes of memory that the system fills, again and again. */
const MEMORY = 256 * 1024;
/** Bytes per chunk, when chunks are asked for. */
const CHUNK = 64 * 1024;

/**
 * The bytes that arrive on a socket or a pipe, once. All of them pass through one buffer, from which they are copied into
 * the reader's memory. The socket is paused while nobody reads.
 */
export class SocketBytes implements FillableBytes, AsyncIterableIterator<Uint8Array, void, undefined> {
  readonly fillsDirectly = true;
  readonly #memory = Buffer.allocUnsafeSlow(MEMORY);
  readonly #socket: Socket;
  readonly #onArrived: (count: number) => void;
  /** The part of the memory that arrived and was not read yet. */
  #unread: Uint8Array = this.#memory.subarray(0, 0);
  #isOver = false;
  #failure: { error: Error } | undefined;
  #wake: (() => void) | undefined;

  /**
   * @param open makes a socket whose bytes arrive by this option alone; it is destroyed at the end
   * @param onArrived called for all bytes as they arrive
   */
  constructor(open: (onread: OnReadOpts) => Socket, onArrived: (count: number) => void = () => {}) {
    this.#onArrived = onArrived;
    this.#socket = open({ buffer: this.#memory, callback: (count) => this.#arrived(count) });
    this.#socket.on('end', () => this.#end());
    this.#socket.on('close', () => this.#end());
    this.#socket.on('error', (error) => {
      this.#failure = { error };
      this.#end();
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Whether a reader waits for bytes from the peer. */
  get isWaiting(): boolean {
    return this.#wake !== undefined;
  }

  /** The bytes that have arrived and were not read, at least one; none only at the end. Valid until the next call. */
  async peek(): Promise<Uint8Array> {
    await this.#some();
    return this.#unread;
  }

  /** Counts bytes that {@link peek} gave as read. */
  skip(count: number): void {
    this.#unread = this.#unread.subarray(count);
  }

  async next(): Promise<IteratorResult<Uint8Array, void>> {
    await this.#some();
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK, this.#unread.length));
    return this.#take(chunk) === 0 ? { done: true, value: undefined } : { done: false, value: chunk };
  }

  async readInto(target: Uint8Array): Promise<number> {
    await this.#some();
    return this.#take(target);
  }

  async return(): Promise<IteratorReturnResult<void>> {
    this.destroy();
    return { done: true, value: undefined };
  }

  /** Ends the reading and closes the socket. Whoever reads then gets the error; without one, the end. */
  destroy(error?: Error): void {
    if (error !== undefined) this.#failure ??= { error };
    this.#unread = this.#memory.subarray(0, 0);
    this.#end();
    this.#socket.destroy();
  }

  /** Waits until bytes are there, or there will be none. */
  async #some(): Promise<void> {
    if (this.#unread.length > 0) return;
    if (!this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#socket.resume();
      });
    }
    if (this.#unread.length === 0 && this.#failure !== undefined) throw this.#failure.error;
  }

  #take(target: Uint8Array): number {
    const part = this.#unread.subarray(0, target.length);
    target.set(part);
    this.skip(part.length);
    return part.length;
  }

  /** @returns whether more may arrive: not before these bytes were read */
  #arrived(count: number): boolean {
    this.#onArrived(count);
    if (!this.#isOver) this.#unread = this.#memory.subarray(0, count);
    this.#wakeReader();
    return false;
  }

  #end(): void {
    this.#isOver = true;
    this.#wakeReader();
  }

  #wakeReader(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

import type { FillableBytes } from './fillable.ts';
import { isFillable } from './fillable.ts';

/**
 * Passes bytes through until `signal` fires. Then it rejects with `signal.reason` at once, even if the source is
 * silent, and destroys the source.
 */
export function abortable(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  return isFillable(bytes) ? new AbortableFill(bytes, signal) : passOn(bytes, signal);
}

async function* passOn(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = bytes[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const step = await orAbort(signal, () => chunks.next());
      ended = step.done === true;
      if (step.done === true) return;
      yield step.value;
    }
  } finally {
    if (!ended) end(bytes, chunks);
  }
}

/** Bytes that fill the reader's memory until a signal fires. */
class AbortableFill implements FillableBytes, AsyncIterableIterator<Uint8Array, void, undefined> {
  readonly fillsDirectly = true;
  readonly #bytes: FillableBytes;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal | undefined;
  #ended = false;

  constructor(bytes: FillableBytes, signal: AbortSignal | undefined) {
    this.#bytes = bytes;
    this.#chunks = bytes[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, void>> {
    if (this.#ended) return { done: true, value: undefined };
    const step = await this.#guarded(() => this.#chunks.next());
    if (step.done !== true) return step;
    this.#ended = true;
    return { done: true, value: undefined };
  }

  async readInto(target: Uint8Array): Promise<number> {
    if (this.#ended) return 0;
    const count = await this.#guarded(() => this.#bytes.readInto(target));
    if (count === 0) this.#ended = true;
    return count;
  }

  async return(): Promise<IteratorReturnResult<void>> {
    this.#end();
    return { done: true, value: undefined };
  }

  async #guarded<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await orAbort(this.#signal, read);
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    end(this.#bytes, this.#chunks);
  }
}

/** Waits for what `read` begins. Rejects with `signal.reason` as soon as the signal fires; the work itself goes on. */
export async function orAbort<T>(signal: AbortSignal | undefined, read: () => Promise<T>): Promise<T> {
  if (signal === undefined) return read();
  signal.throwIfAborted();
  let onAbort = ignore;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
  });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([read(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function ignore(): void {}

/** `return` cannot end an iterator that waits for its next chunk; only destroying its stream can. */
function end(bytes: AsyncIterable<Uint8Array>, chunks: AsyncIterator<Uint8Array>): void {
  if ('destroy' in bytes && typeof bytes.destroy === 'function') bytes.destroy();
  chunks.return?.().then(ignore, ignore);
}

/** How many layers may be unfinished at once. */
const MAX_PENDING = 4;

/**
 * Work on streams that share one source: the next may begin when the one before has read its last byte, though it is not
 * finished yet. Errors come up at the next `run` or at `settle`.
 */
export class Pending {
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;

  /** Starts work on `bytes` and resolves when they have all been read, or the work is done or has failed. */
  async run(
    bytes: AsyncIterable<Uint8Array>,
    work: (bytes: AsyncIterable<Uint8Array>) => Promise<void>,
  ): Promise<void> {
    while (this.#running.size >= MAX_PENDING) await Promise.race(this.#running);
    this.#throwFailure();
    await new Promise<void>((resolve) => {
      const running: Promise<void> = work(watch(bytes, resolve))
        .catch((error: unknown) => {
          this.#failure ??= { error };
        })
        .finally(() => {
          this.#running.delete(running);
          resolve();
        });
      this.#running.add(running);
    });
    this.#throwFailure();
  }

  /** Waits for all work, and throws what was not thrown yet. Where `signal` has fired, it waits for nothing. */
  async settle(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await Promise.all(this.#running);
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

async function* watch(
  bytes: AsyncIterable<Uint8Array>,
  onDrained: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* bytes;
  onDrained();
}

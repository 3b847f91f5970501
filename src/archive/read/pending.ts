/** How many layers may be unfinished at once. */
const MAX_PENDING = 4;

/**
 * Work on streams that share one source: the next may begin when the last byte of the one before was given out, though that
 * is not finished yet. Errors come up at the next `run` or at `settle`.
 */
export class Pending {
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;

  /** Starts work, and resolves when its bytes are `drained`, or it is done or has failed. */
  async run(drained: Promise<void>, work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= MAX_PENDING) await Promise.race(this.#running);
    this.#throwFailure();
    const running: Promise<void> = work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    await Promise.race([drained, running]);
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

/** How long clean-up requests to a daemon may take, in ms. */
const CLEANUP_TIMEOUT = 3000;

/** The signal for clean-up requests: it is separate from the caller's, because clean-up also follows an abort. */
export function cleanupSignal(): AbortSignal {
  return AbortSignal.timeout(CLEANUP_TIMEOUT);
}

/** Work that continues after its caller has left, and must end before the connection does. */
export class Cleanups {
  readonly #pending = new Set<Promise<void>>();

  /** Takes work over. It must end by itself, soon; its result is ignored. */
  add(work: Promise<unknown>): void {
    const pending: Promise<void> = work
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  /** Resolves when all of it is done. */
  async done(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }
}

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

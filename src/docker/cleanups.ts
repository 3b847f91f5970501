/** Work that goes on after whoever began it has left, and that has to be done before the connection ends. */
export class Cleanups {
  readonly #pending = new Set<Promise<void>>();

  /** Takes work over. It has to end by itself, soon; how it ends is of no interest. */
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

import { ignoreErrors } from '../disk/io-error.ts';

/** Undoes changes that were made one after another. */
export class Undo {
  readonly #steps: (() => Promise<unknown>)[] = [];

  /** Adds the undoing of the next change. Undoing a change that was not made must do no harm. */
  push(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  /** Undoes every change, the last one first. Continues after a failure. */
  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).toReversed()) await ignoreErrors(step);
  }
}

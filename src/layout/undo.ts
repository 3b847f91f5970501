import { attempt } from './io-error.ts';

/** The way back from changes that were made one after another. */
export class Undo {
  readonly #steps: (() => Promise<unknown>)[] = [];

  /** Notes how the next change is taken back. Taking back a change that was not made must do no harm. */
  push(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  /** Takes back every change, the last one first; goes on where one cannot be taken back. */
  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).toReversed()) await attempt(step);
  }
}

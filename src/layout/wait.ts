import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import type { OnProgress } from '../progress.ts';
import { pause } from '../stream/signals.ts';

/** How long to wait for other processes. */
export interface WaitOptions extends ContentOptions {
  /** How long to wait for another process that changes the layout, in milliseconds. Default 60 000. */
  lockTimeout?: number | undefined;
  /** Told once per wait what it is for. */
  onProgress?: OnProgress | undefined;
}

const DEFAULT_TIMEOUT = 60_000;
const MAX_PAUSE = 100;

/** A bounded wait for another process that holds a lock. */
export class Wait {
  readonly #path: string;
  readonly #options: WaitOptions;
  readonly #start = performance.now();
  #isTold = false;

  /** @param path the lock */
  constructor(path: string, options: WaitOptions) {
    this.#path = path;
    this.#options = options;
  }

  /**
   * Waits for a moment at random, so that those who wait do not act at the same time.
   * @throws {@link DrayageError} `LOCKED` when the time is up
   */
  async pause(): Promise<void> {
    const { lockTimeout = DEFAULT_TIMEOUT, onProgress, signal } = this.#options;
    if (performance.now() - this.#start >= lockTimeout) throw timedOut(this.#path, lockTimeout);
    if (!this.#isTold) {
      this.#isTold = true;
      onProgress?.({
        kind: 'waiting',
        what: 'lock',
        where: this.#path,
        seconds: Math.ceil(lockTimeout / 1000),
      });
    }
    await pause(1 + Math.random() * MAX_PAUSE, signal);
  }
}

function timedOut(path: string, timeout: number): DrayageError {
  return new DrayageError(
    'LOCKED',
    `another process holds the lock ${path} and did not release it within ${timeout} ms`,
    { path, reason: 'LOCK_HELD', hint: 'try again when the other job is done' },
  );
}

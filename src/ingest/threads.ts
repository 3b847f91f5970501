import { Thread } from './thread.ts';

/** A thread for one hash, from its first byte to its last. */
export interface HashTurn {
  thread: Thread;
  /** Names the hash to the thread. */
  key: number;
  readonly release: () => void;
}

/** Threads that are started when needed, at most `max`. */
export class Threads implements AsyncDisposable {
  readonly #max: number;
  readonly #start: () => Thread;
  /** How many hashes each thread has to do. */
  readonly #threads = new Map<Thread, number>();
  #lastKey = 0;
  #closed: { reason: unknown } | undefined;

  constructor(max: number, start: () => Thread = () => new Thread()) {
    this.#max = max;
    this.#start = start;
  }

  /** Finds the thread that has least to do; starts one where all are busy and there may be another. */
  take(): HashTurn {
    if (this.#closed !== undefined) throw this.#closed.reason;
    const [idlest] = [...this.#threads].toSorted(([, a], [, b]) => a - b);
    const isFresh = idlest === undefined || (idlest[1] > 0 && this.#threads.size < this.#max);
    const [thread, busy] = isFresh ? [this.#start(), 0] : idlest;
    this.#threads.set(thread, busy + 1);
    const release = (): void => void this.#threads.set(thread, (this.#threads.get(thread) ?? 1) - 1);
    return { thread, key: ++this.#lastKey, release };
  }

  /** Ends all threads. Replies that are due reject with `reason`. */
  async close(reason: unknown): Promise<void> {
    this.#closed ??= { reason };
    await Promise.all([...this.#threads.keys()].map((thread) => thread.end(reason)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(new Error('the threads that compute digests were ended'));
  }
}

import { Worker } from 'node:worker_threads';
import { DrayageError } from '../errors.ts';
import { THREAD_SOURCE } from './thread-source.ts';

/** What a thread is told to do. `key` names the hash that goes on from job to job. */
export type HashJob =
  /** Hash a block. Its memory is shared: it must not change before the answer. */
  | { kind: 'block'; key: number; bytes: Uint8Array }
  /** Hash a file from where it was left to its first `size` bytes: one to be opened, or one that is open and stays so. */
  | { kind: 'file'; key: number; file: string | number; size: number }
  /** End the hash, and answer with its hex. */
  | { kind: 'end'; key: number };

interface Reply {
  id: number;
  value?: string;
  error?: string;
}

interface Caller {
  resolve: (value: string | undefined) => void;
  reject: (error: unknown) => void;
}

/**
 * A thread that hashes. It keeps the process alive only while an answer is due. When it dies, whatever the reason, every
 * answer that is due or asked for later is that error: nobody waits for a dead thread.
 */
export class Thread {
  readonly #worker: Worker;
  readonly #callers = new Map<number, Caller>();
  #lastId = 0;
  #failure: { error: unknown } | undefined;

  constructor(source: string = THREAD_SOURCE) {
    this.#worker = new Worker(source, { eval: true, execArgv: [], name: 'drayage-hash' });
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('error', (cause) => this.#fail(threadFailed(cause.message, cause)));
    this.#worker.on('exit', (code) => this.#fail(threadFailed(`it ended with code ${code}`)));
  }

  /**
   * Does a job after those that came before.
   * @throws {@link DrayageError} `IO` where it failed, or the thread died
   */
  async run(job: HashJob): Promise<string | undefined> {
    if (this.#failure !== undefined) throw this.#failure.error;
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      if (this.#callers.size === 0) this.#worker.ref();
      this.#callers.set(id, { resolve, reject });
      this.#worker.postMessage({ ...job, id });
    });
  }

  /**
   * Ends the thread at once. What is due, and all that is asked for later, rejects with `reason`: what is due when the thread
   * is gone and reads from no file any more.
   */
  async end(reason: unknown): Promise<void> {
    this.#failure ??= { error: reason };
    await this.#worker.terminate();
    this.#fail(reason);
  }

  #settle({ id, value, error }: Reply): void {
    const caller = this.#callers.get(id);
    this.#callers.delete(id);
    if (this.#callers.size === 0) this.#worker.unref();
    if (error === undefined) caller?.resolve(value);
    else caller?.reject(threadFailed(error));
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    for (const { reject } of this.#callers.values()) reject(this.#failure.error);
    this.#callers.clear();
  }
}

function threadFailed(why: string, cause?: unknown): DrayageError {
  return new DrayageError('IO', `a thread that computes digests failed: ${why}`, {
    cause,
    hint: 'try again',
  });
}

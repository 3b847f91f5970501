import { Worker } from 'node:worker_threads';
import { DrayageError } from '../errors.ts';
import type { DecompressCall, ZlibCall } from '../stream/codec.ts';
import { THREAD_SOURCE } from './thread-source.ts';

/** What a thread is told to do. `key` names the hash that goes on from job to job. */
export type ThreadJob =
  /** Hash a block. Its memory is shared: it must not change before the answer. */
  | { kind: 'block'; key: number; bytes: Uint8Array }
  /**
   * Continue hashing a file up to its first `size` bytes: a path to open, or an open descriptor that stays open. It fails
   * once `stop` is not 0.
   */
  | { kind: 'file'; key: number; file: string | number; size: number; stop?: Int32Array }
  /** Compress a block in shared memory, and reply with the bytes. */
  | { kind: 'zlib'; key: number; call: ZlibCall; bytes: Uint8Array }
  /**
   * Decompress bytes, whose memory is given away, and hash the content. Reply whether they are one whole part with `size`
   * bytes of content; otherwise nothing is hashed.
   */
  | { kind: 'part'; key: number; call: DecompressCall; bytes: Uint8Array<ArrayBuffer>; size: number }
  /** End the hash, and reply with its hex. */
  | { kind: 'end'; key: number };

/** The hex of a hash, compressed bytes, whether a part is whole, or nothing. */
export type JobResult = string | Uint8Array | boolean | undefined;

interface Reply {
  id: number;
  value?: JobResult;
  error?: string;
}

interface Caller {
  resolve: (value: JobResult) => void;
  reject: (error: unknown) => void;
}

/**
 * A thread that hashes, compresses and decompresses. It keeps the process alive while a reply is due, and after {@link Thread.end} until
 * it is gone. If it dies, every reply that is due or requested later is that error: nobody waits for a dead thread.
 */
export class Thread {
  readonly #worker: Worker;
  readonly #callers = new Map<number, Caller>();
  #lastId = 0;
  #failure: { error: unknown } | undefined;

  constructor(source: string = THREAD_SOURCE) {
    this.#worker = new Worker(source, { eval: true, execArgv: [], name: 'drayage' });
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('error', (cause) => this.#fail(threadFailed(cause.message, cause)));
    this.#worker.on('exit', (code) => this.#fail(threadFailed(`it ended with code ${code}`)));
  }

  /** Whether it died or was ended. */
  get isOver(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * Runs a job after the earlier ones.
   * @throws {@link DrayageError} `IO` if it failed, or the thread died
   */
  async run(job: ThreadJob): Promise<JobResult> {
    if (this.#failure !== undefined) throw this.#failure.error;
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      if (this.#callers.size === 0) this.#worker.ref();
      this.#callers.set(id, { resolve, reject });
      this.#worker.postMessage({ ...job, id }, job.kind === 'part' ? [job.bytes.buffer] : []);
    });
  }

  /**
   * Ends the thread at once. Replies that are due, and later ones, reject with `reason`. Due ones reject when the
   * thread is gone and reads no file any more.
   */
  async end(reason: unknown): Promise<void> {
    this.#failure ??= { error: reason };
    await this.#worker.terminate();
    this.#fail(reason);
  }

  #settle({ id, value, error }: Reply): void {
    const caller = this.#callers.get(id);
    this.#callers.delete(id);
    // While it ends, its end is awaited.
    if (this.#callers.size === 0 && !this.isOver) this.#worker.unref();
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
  return new DrayageError('IO', `a thread failed: ${why}`, {
    cause,
    hint: 'try again',
  });
}

import type { JobResult, ThreadJob } from './thread.ts';
import { Thread } from './thread.ts';

/** A job without what the turn adds. */
type WithoutTurn<Job> = Job extends unknown ? Omit<Job, 'key' | 'stop'> : never;

/** What a thread is told to do in one turn. */
export type TurnJob = WithoutTurn<ThreadJob>;

/** A thread for one hash, from its first byte to its last, or for one block to compress. */
export interface ThreadTurn {
  /**
   * Runs a job after the earlier ones.
   * @throws {@link DrayageError} `IO` if it failed, or the thread died; the reason for which {@link Threads} were closed
   */
  run(job: TurnJob): Promise<JobResult>;
  readonly release: () => void;
}

/** A turn, with what the pool knows of it. */
interface RunningTurn {
  readonly user: Threads;
  /** Names the turn to the thread. */
  readonly key: number;
}

/** Threads that several users share. They are started when needed, and end with the last user. */
export class ThreadPool {
  readonly #start: () => Thread;
  readonly #users = new Set<Threads>();
  readonly #turns = new Map<Thread, Set<RunningTurn>>();
  #lastKey = 0;

  constructor(start: () => Thread = () => new Thread()) {
    this.#start = start;
  }

  /** Finds the thread that has least to do; starts one if all are busy, and there may be another. */
  take(user: Threads): { thread: Thread; turn: RunningTurn } {
    this.#users.add(user);
    const usable = [...this.#turns.keys()].filter((thread) => !thread.isOver);
    const own = usable.filter((thread) => this.#has(thread, user));
    const isFull = usable.length >= Math.max(...[...this.#users].map(({ max }) => max));
    const among = own.length < user.max ? usable : own;
    const [idlest] = among.toSorted((a, b) => this.#load(a) - this.#load(b));
    const mayStart = !isFull && own.length < user.max;
    const thread = idlest === undefined || (mayStart && this.#load(idlest) > 0) ? this.#start() : idlest;
    const turn = { user, key: ++this.#lastKey };
    this.#turns.set(thread, (this.#turns.get(thread) ?? new Set()).add(turn));
    return { thread, turn };
  }

  release(thread: Thread, turn: RunningTurn): void {
    this.#turns.get(thread)?.delete(turn);
  }

  /**
   * Ends what runs for a user: with it the threads that work for nobody else, and all of them if it was the last user. When
   * this resolves, they read nothing for it any more.
   */
  async leave(user: Threads, reason: unknown): Promise<void> {
    this.#users.delete(user);
    const ending: Promise<unknown>[] = [];
    for (const [thread, turns] of this.#turns) {
      const left = [...turns].filter((turn) => turn.user === user);
      if (this.#users.size === 0 || (left.length > 0 && left.length === turns.size)) {
        this.#turns.delete(thread);
        ending.push(thread.end(reason));
        continue;
      }
      for (const turn of left) {
        turns.delete(turn);
        ending.push(thread.run({ kind: 'end', key: turn.key }).catch(() => undefined));
      }
    }
    await Promise.all(ending);
  }

  #has(thread: Thread, user: Threads): boolean {
    return [...(this.#turns.get(thread) ?? [])].some((turn) => turn.user === user);
  }

  #load(thread: Thread): number {
    return this.#turns.get(thread)?.size ?? 0;
  }
}

/** The threads of this process: however many saves and proofs run in it, they hash and compress on the cores that there are. */
const PROCESS = new ThreadPool();

/** The use of threads by one save or one proof: at most `max` at a time, out of a pool. */
export class Threads implements AsyncDisposable {
  readonly max: number;
  readonly #pool: ThreadPool;
  /** Not 0 once it is closed: threads that others use, too, see it while they read. */
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  #closed: { reason: unknown } | undefined;
  #leaving: Promise<void> | undefined;

  constructor(max: number, pool: ThreadPool = PROCESS) {
    this.max = max;
    this.#pool = pool;
  }

  /** @throws the reason, once it is closed */
  take(): ThreadTurn {
    this.#assertOpen();
    const { thread, turn } = this.#pool.take(this);
    return {
      run: async (job) => this.#run(thread, turn.key, job),
      release: () => this.#pool.release(thread, turn),
    };
  }

  /**
   * Ends what runs. Replies that are due reject with `reason`, once no thread reads for them any more. Each call resolves
   * then; the first reason counts.
   */
  async close(reason: unknown): Promise<void> {
    this.#leaving ??= this.#leave(reason);
    return this.#leaving;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(new Error('the threads that compute digests were ended'));
  }

  async #leave(reason: unknown): Promise<void> {
    this.#closed = { reason };
    Atomics.store(this.#stop, 0, 1);
    await this.#pool.leave(this, reason);
  }

  async #run(thread: Thread, key: number, job: TurnJob): Promise<JobResult> {
    this.#assertOpen();
    const told: ThreadJob = job.kind === 'file' ? { ...job, key, stop: this.#stop } : { ...job, key };
    try {
      return await thread.run(told);
    } finally {
      // Whatever the thread replied, it was told to stop.
      this.#assertOpen();
    }
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw this.#closed.reason;
  }
}

/** How much must pass within the time limit, in bytes: a peer that sends a byte now and then is no better than a silent one. */
const LEAST_BYTES: number = 64 * 1024;

/** How often a watch looks within its time limit. */
const TICKS = 4;

/** What an {@link IdleWatch} watches. */
export interface Watched {
  /** In milliseconds; 0 for ever. */
  limit: number;
  /** Whether bytes are due from the peer now. Our own work between two chunks is not the fault of the peer. */
  isWaiting: () => boolean;
  /** Called once, if fewer than {@link LEAST_BYTES} have passed while they were due all through the time limit. */
  onIdle: () => void;
}

/** Watches that bytes pass between this process and a peer. Stop it at the end. */
export class IdleWatch {
  readonly #timer: NodeJS.Timeout | undefined;
  #passed = 0;
  #waited = 0;

  constructor({ limit, isWaiting, onIdle }: Watched) {
    if (limit === 0) return;
    this.#timer = setInterval(() => {
      this.#waited = isWaiting() && this.#passed < LEAST_BYTES ? this.#waited + 1 : 0;
      if (this.#waited === 0) this.#passed = 0;
      if (this.#waited < TICKS) return;
      this.stop();
      onIdle();
    }, limit / TICKS).unref();
  }

  /** Counts bytes that have passed. */
  passed(bytes: number): void {
    this.#passed += bytes;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** The complaint about a peer that sends nothing, or next to nothing: `sent under 64 KiB in 60 s`. */
export function idleFor(limit: number, verb: 'sent' | 'took'): string {
  return `${verb} under ${LEAST_BYTES / 1024} KiB in ${Math.round(limit / 100) / 10} s`;
}

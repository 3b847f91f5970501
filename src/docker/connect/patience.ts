/** How long between two attempts, in ms. */
const PAUSE = 250;

/** What is told while something is waited for, and when that ends. */
export interface Patience {
  /** Fires when there is no more time. */
  over: AbortSignal;
  /** Ends the waiting with its reason. */
  signal?: AbortSignal;
}

/** The time that is given to all that may be late, from now on; with 0 ms each attempt is the only one. */
export function startPatience(ms: number, signal: AbortSignal | undefined): Patience {
  return { over: ms > 0 ? AbortSignal.timeout(ms) : AbortSignal.abort(), signal };
}

/**
 * Makes an attempt again and again, as long as there is time and its failures are of a kind that may pass.
 * @param onWait called once, when the first attempt has failed so
 * @returns what the attempt gives
 * @throws what the last attempt has thrown
 */
export async function untilThere<T>(
  { over, signal }: Patience,
  attempt: () => Promise<T>,
  mayPass: (error: unknown) => boolean,
  onWait: () => void,
): Promise<T> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await attempt();
    } catch (error) {
      if (over.aborted || !mayPass(error)) throw error;
    }
    if (isFirst) onWait();
    await pause(signal === undefined ? over : AbortSignal.any([over, signal]));
    signal?.throwIfAborted();
  }
}

/** Ends early when the signal fires. */
function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, PAUSE);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

import { eitherSignal, pause } from '../../stream/signals.ts';

/** The pause between two attempts, in ms. */
const PAUSE = 250;

/** When waiting ends. */
export interface Patience {
  /** Fires when the time is over. */
  over: AbortSignal;
  /** Ends the waiting with its reason. */
  signal?: AbortSignal;
}

/** Starts the time for everything that may be late. With 0 ms, each attempt is the only one. */
export function startPatience(ms: number, signal: AbortSignal | undefined): Patience {
  return { over: ms > 0 ? AbortSignal.timeout(ms) : AbortSignal.abort(), signal };
}

/**
 * Repeats an attempt while there is time and its failures may pass.
 * @param onWait called once, when the first attempt has failed
 * @returns the result of the attempt
 * @throws the error of the last attempt
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
    // At its end there is one more attempt.
    await pause(PAUSE, eitherSignal(signal, over)).catch(() => signal?.throwIfAborted());
  }
}

import { eitherSignal } from './signals.ts';

/**
 * Does something with all of several things at a time. Where one fails the others are told to end, and that failure is thrown
 * when all have ended.
 * @param signal ends all of them; it rejects with `signal.reason`
 */
export async function together<T>(
  things: readonly T[],
  signal: AbortSignal | undefined,
  run: (thing: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const either = eitherSignal(signal, stop.signal);
  const running = things.map((thing) =>
    run(thing, either).catch((error: unknown) => {
      stop.abort(error);
      throw error;
    }),
  );
  const results = await Promise.allSettled(running);
  signal?.throwIfAborted();
  // The others end because of the first.
  if (results.some(({ status }) => status === 'rejected')) throw stop.signal.reason;
}

import { eitherSignal } from './signals.ts';

/** Bounds how many works run at a time, as p-limit does. */
export type Limit = (work: () => Promise<void>) => Promise<void>;

/**
 * Does something with all of several things at a time. Where one fails the others are told to end, none begins any more, and
 * that failure is thrown when all have ended.
 * @param signal ends all of them; it rejects with `signal.reason`
 * @param limit bounds how many run at a time; default: all of them do
 */
export async function together<T>(
  things: readonly T[],
  signal: AbortSignal | undefined,
  run: (thing: T, signal: AbortSignal) => Promise<void>,
  limit: Limit = (work) => work(),
): Promise<void> {
  const stop = new AbortController();
  const either = eitherSignal(signal, stop.signal);
  const running = things.map((thing) =>
    limit(async () => {
      either.throwIfAborted();
      try {
        await run(thing, either);
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    }),
  );
  const results = await Promise.allSettled(running);
  signal?.throwIfAborted();
  // The others end because of the first.
  if (results.some(({ status }) => status === 'rejected')) throw stop.signal.reason;
}

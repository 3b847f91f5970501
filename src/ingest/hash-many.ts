import pLimit from 'p-limit';
import type { ContentOptions } from '../content/source.ts';
import { together } from '../stream/together.ts';
import { availableCores } from './cores.ts';
import { Threads } from './threads.ts';

/** Options of {@link hashMany}. */
export interface HashManyOptions extends ContentOptions {
  /** How many run at once, and how many threads hash. With 1, there are no threads. Default: {@link availableCores}. */
  concurrency?: number;
}

/**
 * Runs a function that hashes for each of many things, several at once. After a failure, the others are aborted, and
 * the failure is thrown when no thread is left.
 * @param sizeOf bytes to hash: the largest come first, so that no core is left with one of them at the end
 * @param hash its signal aborts this one
 */
export async function hashMany<T>(
  things: readonly T[],
  sizeOf: (thing: T) => number,
  hash: (thing: T, threads: Threads | undefined, signal: AbortSignal) => Promise<void>,
  { signal, concurrency = availableCores() }: HashManyOptions = {},
): Promise<void> {
  await using threads = new Threads(concurrency);
  const endThreads = ({ target }: Event): void =>
    void threads.close(target instanceof AbortSignal ? target.reason : undefined);
  const bySize = things.toSorted((a, b) => sizeOf(b) - sizeOf(a));
  const work = async (thing: T, either: AbortSignal): Promise<void> => {
    // One listener for all, because it is the same signal.
    either.addEventListener('abort', endThreads);
    await hash(thing, concurrency > 1 ? threads : undefined, either);
  };
  await together(bySize, signal, work, pLimit(concurrency));
}

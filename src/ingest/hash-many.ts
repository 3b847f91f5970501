import pLimit from 'p-limit';
import type { ContentOptions } from '../content/source.ts';
import { together } from '../stream/together.ts';
import { availableCores } from './cores.ts';
import { Threads } from './threads.ts';

/** Options of {@link hashMany}. */
export interface HashManyOptions extends ContentOptions {
  /** How many are done at once, and how many threads hash. With 1, there are no threads. Default: {@link availableCores}. */
  concurrency?: number;
}

/**
 * Does something that hashes for each of many things, several at once. Where one fails, the others are ended, and that failure
 * is thrown when no thread is left.
 * @param sizeOf bytes to be hashed: the largest come first, so that no core is left with one of them alone at the end
 * @param hash its signal ends this one
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
    // Once for all: it is the same signal.
    either.addEventListener('abort', endThreads);
    await hash(thing, concurrency > 1 ? threads : undefined, either);
  };
  await together(bySize, signal, work, pLimit(concurrency));
}

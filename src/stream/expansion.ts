import { currentBudget } from '../budget.ts';
import { tap } from './tap.ts';

/**
 * Decompresses within the run's budget: what decompresses to far more than its size ends with `LIMIT`.
 * @throws {@link DrayageError} `LIMIT`; errors of `decode`
 */
export async function* boundedExpansion(
  bytes: AsyncIterable<Uint8Array>,
  decode: (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const budget = currentBudget();
  const counted = tap(bytes, ({ length }) => budget?.spendExpansion(length, 0));
  for await (const chunk of decode(counted)) {
    budget?.spendExpansion(0, chunk.length);
    yield chunk;
  }
}

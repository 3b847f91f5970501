import { currentBudget } from '../budget.ts';
import { tap } from './tap.ts';

/**
 * Decompresses within the run's budget: what decompresses to far more than its size ends with `LIMIT`.
 * @param decode yields what it makes; it spends what it makes and does not yield
 * @throws {@link DrayageError} `LIMIT`; errors of `decode`
 */
export async function* boundedExpansion(
  bytes: AsyncIterable<Uint8Array>,
  decode: (bytes: AsyncIterable<Uint8Array>, spend: (made: number) => void) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const budget = currentBudget();
  const counted = tap(bytes, ({ length }) => budget?.spendExpansion(length, 0));
  const spend = (made: number): void => budget?.spendExpansion(0, made);
  for await (const chunk of decode(counted, spend)) {
    spend(chunk.length);
    yield chunk;
  }
}

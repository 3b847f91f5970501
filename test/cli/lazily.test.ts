import { expect, test } from 'vitest';
import { lazily } from '../../src/cli/lazily.ts';

const closable = (closed: string[]): AsyncDisposable => ({
  [Symbol.asyncDispose]: async () => void closed.push('closed'),
});

test('what is never needed is never opened', async () => {
  const lazy = lazily(async () => expect.fail('opened'));
  await lazy[Symbol.asyncDispose]();
});

test('it is opened once, and closed once', async () => {
  const seen: string[] = [];
  const lazy = lazily(async () => {
    seen.push('opened');
    return closable(seen);
  });
  expect(await lazy.get()).toBe(await lazy.get());
  await lazy[Symbol.asyncDispose]();
  expect(seen).toEqual(['opened', 'closed']);
});

async function useUnopenable(): Promise<void> {
  await using lazy = lazily(async (): Promise<AsyncDisposable> => {
    throw new Error('it is a link');
  });
  await lazy.get();
}

test('the error of an opening is the only one', async () => {
  await expect(useUnopenable()).rejects.toThrow('it is a link');
});

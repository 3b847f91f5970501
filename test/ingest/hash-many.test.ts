import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { BlockHash, fileDigesters } from '../../src/ingest/hash.ts';
import { hashMany } from '../../src/ingest/hash-many.ts';
import type { Threads } from '../../src/ingest/threads.ts';

const SIZES = [1, 5, 3, 4, 2];

/** More than can be read while a test lasts. */
async function hashWithoutEnd(threads: Threads | undefined): Promise<void> {
  if (threads === undefined) throw new Error('no threads');
  const digester = fileDigesters(threads)('/dev/zero');
  digester.grown(Number.MAX_SAFE_INTEGER);
  await digester.digest();
}

test('the largest come first, and no more at once than are asked for', async () => {
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  await hashMany(
    SIZES,
    (size) => size,
    async (size) => {
      begun.push(size);
      most = Math.max(most, ++running);
      await setImmediate();
      running--;
    },
    { concurrency: 2 },
  );
  expect(begun).toEqual([5, 4, 3, 2, 1]);
  expect(most).toBe(2);
});

test.each([
  [1, false],
  [2, true],
])('at %i at once there are threads: %s', async (concurrency, expected) => {
  const seen: boolean[] = [];
  const see = async (_: number, threads: Threads | undefined): Promise<void> => {
    const hash = new BlockHash(threads);
    await hash.update(Buffer.alloc(1024 * 1024));
    await hash.digest();
    seen.push(threads !== undefined);
  };
  await hashMany(SIZES, (size) => size, see, { concurrency });
  expect(seen).toEqual(SIZES.map(() => expected));
});

test('an abort ends hashes that run, and rejects with its reason', async () => {
  const controller = new AbortController();
  const running = hashMany(
    [1, 2, 3],
    (size) => size,
    (_, threads) => {
      setTimeout(() => controller.abort(new Error('enough')), 50);
      return hashWithoutEnd(threads);
    },
    { signal: controller.signal, concurrency: 2 },
  );
  await expect(running).rejects.toThrow('enough');
});

test('a failure ends the others, is what is thrown, and those that wait do not begin', async () => {
  const begun: number[] = [];
  const running = hashMany(
    [4, 3, 2, 1],
    (size) => size,
    async (size, threads) => {
      begun.push(size);
      if (size === 3) throw new Error('broken');
      return hashWithoutEnd(threads);
    },
    { concurrency: 2 },
  );
  await expect(running).rejects.toThrow('broken');
  expect(begun).not.toContain(1);
});

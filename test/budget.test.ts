import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Budget, currentBudget, withBudget, withProcessBudget } from '../src/budget.ts';
import { DrayageError } from '../src/errors.ts';
import { parseLayoutIndex } from '../src/oci/image-index.ts';
import { countBytes } from '../src/stream/drain.ts';
import { readDocument } from '../src/stream/document.ts';
import { decompressDetected, measure } from '../src/stream/sniffed.ts';
import { once } from '../src/stream/tap.ts';
import { describeBytes } from '../src/testing/sample-images.ts';

const LIMIT = expect.objectContaining({ code: 'LIMIT' }) as Error;

/** zstd: one frame with a window of 128 MiB, of blocks that repeat a byte 128 Ki times each. */
function repeated(blocks: number): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (27 - 10) << 3]);
  const block = Buffer.alloc(4);
  block.writeUIntLE((131_072 << 3) | 2, 0, 3);
  const last = Buffer.from(block);
  last.writeUIntLE((131_072 << 3) | 3, 0, 3);
  return Buffer.concat([header, ...Array.from({ length: blocks - 1 }, () => block), last]);
}

describe('content that decompresses to far more than its size ends the run', () => {
  test.each([
    ['gzip', gzipSync(Buffer.alloc(4_000_000))],
    ['several members of gzip', Buffer.concat([1, 2, 3].map(() => gzipSync(Buffer.alloc(1_000_000))))],
    ['a repeated byte in zstd', repeated(20)],
    ['many frames of zstd', Buffer.concat(Array.from({ length: 10 }, () => repeated(2)))],
  ])('%s', async (_what, bytes) => {
    for (const read of [
      async () => countBytes(decompressDetected(once(bytes), 'layer')),
      async () => measure(once(bytes), 'layer'),
    ]) {
      await expect(withBudget<unknown>(read, new Budget({ expansion: 1_000_000 }))).rejects.toThrow(LIMIT);
      await expect(withBudget<unknown>(read, new Budget({ expansion: 5_000_000 }))).resolves.toBeDefined();
    }
  });

  test('also if it is many pieces, each of which would pass', async () => {
    const budget = new Budget({ expansion: 200_000 });
    const bytes = gzipSync(Buffer.alloc(100_000));
    const read = async (): Promise<number> => countBytes(decompressDetected(once(bytes), 'layer'));
    const work = withBudget(async () => [await read(), await read(), await read()], budget);
    await expect(work).rejects.toThrow(LIMIT);
    expect(budget.spent.made).toBeGreaterThan(200_000);
  });
});

async function readText(text: string): Promise<void> {
  const bytes = Buffer.from(text);
  await readDocument(once(bytes), describeBytes(bytes, 'application/json'));
}

test('documents are counted with each reading, and their memory once', async () => {
  const budget = new Budget();
  await withBudget(async () => {
    await readText('{"a":1}');
    await readText('{"a":1}');
    await readText('[[],[],[]]');
  }, budget);
  expect(budget.spent).toMatchObject({ documents: 3, documentMemory: 7 + 48 + 10 + 6 * 48 });
  await expect(withBudget(async () => readText('[1]'), new Budget({ documents: 0 }))).rejects.toThrow(LIMIT);
});

test('few bytes with many values count by the memory that they need', async () => {
  const limits = { documentMemory: 100_000 };
  await expect(
    withBudget(async () => readText(`["${'a'.repeat(9000)}"]`), new Budget(limits)),
  ).resolves.toBeUndefined();
  await expect(
    withBudget(async () => readText(`[${'{},'.repeat(3000)}1]`), new Budget(limits)),
  ).rejects.toThrow(LIMIT);
});

const entry = (digest: string): object => ({ mediaType: 'a/b', digest, size: 1 });

test('entries of index.json are counted, those that are not read, too', async () => {
  const { digest } = describeBytes(Buffer.from('a'), '');
  const index = { schemaVersion: 2, manifests: [entry(digest), entry(digest), entry('blake3:0123')] };
  const parse = async (): Promise<unknown> => parseLayoutIndex(Buffer.from(JSON.stringify(index)), 'here');
  await expect(withBudget(parse, new Budget({ entries: 3 }))).resolves.toBeDefined();
  await expect(withBudget(parse, new Budget({ entries: 2 }))).rejects.toThrow(LIMIT);
});

const goOn = async (): Promise<string> => {
  try {
    currentBudget()?.spend('layouts', 2000);
  } catch {
    // Somebody takes it for damage of one layout.
  }
  return 'done';
};

test('a run that went on after it had spent too much fails all the same', async () => {
  await expect(withBudget(goOn)).rejects.toThrow(LIMIT);
});

const open = async (): Promise<void> =>
  withBudget(async () => currentBudget()?.spend('layouts', 2), new Budget());

test('work within a run spends of its budget', async () => {
  const budget = new Budget({ layouts: 3 });
  await expect(withBudget(async () => [await open(), await open()], budget)).rejects.toThrow(LIMIT);
  expect(budget.spent.layouts).toBe(4);
});

test('errors of the work are not changed, and outside of a run there is no budget', async () => {
  const error = new DrayageError('NOT_FOUND', 'nothing');
  await expect(withBudget(async () => Promise.reject(error))).rejects.toBe(error);
  expect(currentBudget()).toBeUndefined();
});

test('a process that does one run has one budget, for work of any kind', async () => {
  const budget = new Budget({ documents: 1 });
  const work = withProcessBudget(async () => {
    await readText('[1]');
    await withBudget(async () => readText('[2]'));
  }, budget);
  await expect(work).rejects.toThrow(LIMIT);
  expect(budget.spent.documents).toBe(2);
  await expect(readText('[3]')).resolves.toBeUndefined();
  expect(budget.spent.documents).toBe(2);
});

import { expect, test } from 'vitest';
import { freeMemory, readyToFree } from '../../src/stream/free-memory.ts';

const SIZE = 50_000_000;

test('memory is freed without the garbage collector', async () => {
  await readyToFree();
  const before = process.memoryUsage().arrayBuffers;
  const bytes = Buffer.allocUnsafeSlow(SIZE);
  freeMemory(bytes.subarray(10));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(SIZE);
  expect(bytes).toHaveLength(0);
});

test('memory that others use stays', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(SIZE));
  const pooled = Buffer.from('a part of the pool of small buffers');
  freeMemory(shared);
  freeMemory(pooled);
  expect(shared).toHaveLength(SIZE);
  expect(pooled.toString()).toBe('a part of the pool of small buffers');
});

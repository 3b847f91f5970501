import { expect, test } from 'vitest';
import { countBytes } from '../../src/stream/drain.ts';
import { source } from './sources.ts';

test('bytes that fill memory are counted in the same memory again and again', async () => {
  const memories = new Set<ArrayBufferLike>();
  const counts = [3, 1, 250_000, 0];
  const bytes = {
    ...source(new Uint8Array(9), 4),
    fillsDirectly: true,
    readInto: async (target: Uint8Array) => {
      memories.add(target.buffer);
      return counts.shift() ?? 0;
    },
  };
  expect(await countBytes(bytes)).toBe(250_004);
  expect(memories.size).toBe(1);
});

test('bytes in chunks are counted', async () => {
  expect(await countBytes(source(new Uint8Array(9), 4))).toBe(9);
});

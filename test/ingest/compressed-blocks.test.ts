import pLimit from 'p-limit';
import { expect, test } from 'vitest';
import { compressBlocks } from '../../src/ingest/compressed-blocks.ts';
import { Slots } from '../../src/ingest/slots.ts';
import { source } from '../stream/sources.ts';

test('blocks that are done out of order are written in order', async () => {
  const written: number[] = [];
  await compressBlocks(new Slots(1, 4).blocks(source(Uint8Array.of(0, 1, 2, 3, 4, 5), 1)), {
    turns: pLimit(3),
    compress: async (block) => {
      const copy = Uint8Array.from(block);
      for (let i = 0; i < 10 - (copy[0] ?? 0); i++) await new Promise((resolve) => setImmediate(resolve));
      return copy;
    },
    hash: async () => {},
    write: async ([byte = -1]) => void written.push(byte),
  });
  expect(written).toEqual([0, 1, 2, 3, 4, 5]);
});

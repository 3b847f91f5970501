import pLimit from 'p-limit';
import { describe, expect, test, vi } from 'vitest';
import type { BlobWriter } from '../../src/content/sink.ts';
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
      return [copy];
    },
    hash: async () => {},
    writer: { write: async ([byte = -1]) => void written.push(byte) },
  });
  expect(written).toEqual([0, 1, 2, 3, 4, 5]);
});

describe('the memory of what was compressed', () => {
  const SIZE = 1024 * 1024;

  /** Compresses three blocks into as many outputs of {@link SIZE}. */
  async function outputsOf(writer: Pick<BlobWriter, 'write' | 'flush'>): Promise<Uint8Array[]> {
    const outputs: Uint8Array[] = [];
    await compressBlocks(new Slots(1, 4).blocks(source(Uint8Array.of(0, 1, 2), 1)), {
      turns: pLimit(3),
      compress: async (block) => {
        const output = new Uint8Array(SIZE).fill(block[0] ?? 0);
        outputs.push(output);
        return [output];
      },
      hash: async () => {},
      writer,
    });
    return outputs;
  }

  test('is freed as soon as it is written, and no sooner', async () => {
    let pending: Uint8Array[] = [];
    const intact: boolean[] = [];
    const outputs = await outputsOf({
      write: async (chunk) => void pending.push(chunk),
      flush: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        intact.push(...pending.map((chunk) => chunk.length === SIZE));
        pending = [];
      },
    });
    await vi.waitUntil(() => outputs.every((output) => output.length === 0));
    expect(intact).toEqual([true, true, true]);
  });

  test('stays if the writer keeps it, or has failed', async () => {
    const kept = await outputsOf({ write: async () => {} });
    const failed = await outputsOf({
      write: async () => {},
      flush: () => Promise.reject(new Error('disk full')),
    });
    expect([...kept, ...failed].map(({ length }) => length)).toEqual(Array.from({ length: 6 }, () => SIZE));
  });
});

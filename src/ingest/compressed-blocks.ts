import type { LimitFunction } from 'p-limit';
import type { CompressBlock } from '../stream/codec.ts';
import type { Slot } from './slots.ts';

/** The work on each block of a layer, all of it at the same time. */
export interface BlockWork {
  compress: CompressBlock;
  /** Limits how many blocks are compressed at once, over all layers. */
  turns: LimitFunction;
  /** Hashes each block as it arrived. */
  hash(block: Uint8Array): Promise<void>;
  /** Writes each compressed block, in order. */
  write(compressed: Uint8Array): Promise<void>;
}

/** Compresses blocks, several at once, and writes them in order. A block is released when all work on it is done. */
export async function compressBlocks(blocks: AsyncIterable<Slot>, work: BlockWork): Promise<void> {
  let last: Promise<void> = Promise.resolve();
  let failed = false;
  for await (const block of blocks) {
    last = compressOne(block, last, work);
    // It is awaited at the end; until then it must not count as unhandled.
    last.catch(() => (failed = true));
    // The last block reports the first failure: each block waits for those before it.
    if (failed) break;
  }
  await last;
}

async function compressOne(block: Slot, previous: Promise<void>, work: BlockWork): Promise<void> {
  try {
    const [compressed] = await Promise.all([
      work.turns(() => work.compress(block.bytes)),
      work.hash(block.bytes),
      previous,
    ]);
    await work.write(compressed);
  } finally {
    // After a failure it may still be read, for a result that nobody uses.
    block.release();
  }
}

import type { BlobWriter } from '../content/sink.ts';
import { freeMemory } from '../stream/free-memory.ts';
import type { Slot } from './slots.ts';

/** The work on each block of a layer, all of it at the same time. */
export interface BlockWork {
  compress(block: Uint8Array): Promise<readonly Uint8Array[]>;
  /** Limits how many blocks are compressed at once, over all layers. */
  turns: <T>(work: () => Promise<T>) => Promise<T>;
  /** Hashes each block as it arrived. */
  hash(block: Uint8Array): Promise<void>;
  /** Takes each compressed block, in order. */
  writer: Pick<BlobWriter, 'write' | 'flush'>;
}

/** Compresses blocks, several at once, and writes them in order. A block is released when all work on it is done. */
export async function compressBlocks(blocks: AsyncIterable<Slot>, work: BlockWork): Promise<void> {
  const output = new Output(work.writer);
  let last: Promise<void> = Promise.resolve();
  let failed = false;
  for await (const block of blocks) {
    last = compressOne(block, last, { ...work, output });
    // It is awaited at the end; until then it must not count as unhandled.
    last.catch(() => (failed = true));
    // The last block reports the first failure: each block waits for those before it.
    if (failed) break;
  }
  await last;
}

async function compressOne(
  block: Slot,
  previous: Promise<void>,
  work: BlockWork & { output: Output },
): Promise<void> {
  try {
    const [compressed] = await Promise.all([
      work.turns(() => work.compress(block.bytes)),
      work.hash(block.bytes),
      previous,
    ]);
    await work.output.write(compressed);
  } finally {
    // After a failure it may still be read, for a result that nobody uses.
    block.release();
  }
}

/** Bytes of output that wait to be freed together: freeing them asks the writer to write what it has gathered. */
const FREED_TOGETHER = 1024 * 1024;

/** Writes compressed blocks, and frees their memory when it is written. */
class Output {
  readonly #writer: BlockWork['writer'];
  #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(writer: BlockWork['writer']) {
    this.#writer = writer;
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks) {
      await this.#writer.write(chunk);
      this.#chunks.push(chunk);
      this.#size += chunk.length;
    }
    if (this.#size >= FREED_TOGETHER) this.#free();
  }

  #free(): void {
    const written = this.#chunks;
    this.#chunks = [];
    this.#size = 0;
    // A failure is reported by the next write, or at the end.
    this.#writer.flush?.().then(
      () => written.forEach(freeMemory),
      () => undefined,
    );
  }
}

import type { FileDigester } from '../content/sink.ts';
import { DrayageError } from '../errors.ts';
import type { Digest, Digester } from '../oci/digest.ts';
import { createDigester, parseDigest } from '../oci/digest.ts';
import type { CompressedPart } from '../stream/codec.ts';
import { hasRoomForThreads } from './block-memory.ts';
import type { Slot } from './slots.ts';
import type { ThreadTurn, Threads } from './threads.ts';

/** Up to this many bytes, a thread costs more than it saves. */
export const SMALL: number = 1024 * 1024;
/** Whether a thread can read a file that this one has opened: descriptors belong to the process, in Deno to the thread. */
const SHARES_FILES = !('deno' in process.versions);

/** The digest of a layer's blocks, computed on a thread once there is enough to do. */
export class BlockHash {
  readonly #threads: Threads | undefined;
  #turn: ThreadTurn | undefined;
  #here: Digester | undefined;
  #isOver = false;
  /** Settles when the last part is hashed. */
  #lastPart: Promise<void> = Promise.resolve();
  /** The decompressed bytes of all parts. */
  #partsSize = 0;

  /** @param threads without them, everything is hashed here */
  constructor(threads: Threads | undefined) {
    this.#threads = threads;
  }

  /**
   * Hashes the next block, in shared memory; it must not change until this resolves. Only the last one may be short.
   */
  async update(block: Uint8Array): Promise<void> {
    const turn = this.#here === undefined ? this.#turnFor(block.length) : undefined;
    if (turn === undefined) this.#here ??= createDigester();
    this.#here?.update(block);
    await turn?.run({ kind: 'block', bytes: block });
  }

  /**
   * Decompresses a part and hashes its content, both on the thread. Parts come before all blocks. Resolves when the part
   * before is done, so that one is read while another one is decompressed.
   * @returns false, with nothing done, if the first part is too small for a thread, or there is no thread or memory
   * @throws {@link DrayageError} `MALFORMED` if the part before did not decompress to the size that it states
   */
  async takePart(part: CompressedPart): Promise<boolean> {
    const turn = this.#turnFor(part.size);
    if (turn === undefined) return false;
    const before = this.#lastPart;
    this.#lastPart = decompressOn(turn, part);
    // The next part reports it, or the end.
    this.#lastPart.catch(() => undefined);
    this.#partsSize += part.size;
    await before;
    return true;
  }

  /** Hashes blocks to their end and releases them. The next one is read while one is hashed. */
  async drain(blocks: AsyncIterable<Slot>): Promise<{ digest: Digest; size: number }> {
    let last: Promise<void> = Promise.resolve();
    let size = 0;
    for await (const block of blocks) {
      size += block.bytes.length;
      last = this.#updateAndRelease(block, last);
      // It is awaited at the end; until then it must not count as unhandled.
      last.catch(() => undefined);
    }
    await Promise.all([last, this.#lastPart]);
    return { digest: await this.digest(), size: size + this.#partsSize };
  }

  /** Ends the digest; call once. */
  async digest(): Promise<Digest> {
    this.#isOver = true;
    if (this.#turn === undefined) return (this.#here ?? createDigester()).digest();
    return endOf(this.#turn);
  }

  /** Cancels, unless it is done. */
  async drop(): Promise<void> {
    const isOver = this.#isOver;
    this.#isOver = true;
    if (this.#turn !== undefined && !isOver) await endOf(this.#turn).catch(() => undefined);
  }

  /** The turn on a thread, which begins if there is enough to do for it, and memory. */
  #turnFor(size: number): ThreadTurn | undefined {
    this.#turn ??= size >= SMALL && hasRoomForThreads() ? this.#threads?.take() : undefined;
    return this.#turn;
  }

  async #updateAndRelease(block: Slot, previous: Promise<void>): Promise<void> {
    try {
      await Promise.all([this.update(block.bytes), previous]);
    } finally {
      block.release();
    }
  }
}

/**
 * Hashes files while they grow, on threads: the written bytes are read back from the page cache. A file is given by its
 * path, or by its descriptor if it is open; then it must stay open.
 */
export function fileDigesters(threads: Threads): (file: string | number) => FileDigester {
  return (file) => {
    const turn = threads.take();
    let reads: Promise<unknown> = Promise.resolve();
    return {
      grown: (size) => {
        reads = Promise.all([reads, turn.run({ kind: 'file', file, size })]);
        // The end reports it.
        reads.catch(() => undefined);
      },
      digest: async () => {
        const [digest] = await Promise.all([endOf(turn), reads]);
        return digest;
      },
      drop: async () => {
        // Once the threads are closed, the end fails at once, while the last read may still run.
        await Promise.allSettled([endOf(turn), reads]);
      },
    };
  };
}

/** {@link fileDigesters}, where threads can hash open files at present, and there is memory for them. */
export function usableDigesters(threads: Threads | undefined): ReturnType<typeof fileDigesters> | undefined {
  return threads !== undefined && SHARES_FILES && hasRoomForThreads() ? fileDigesters(threads) : undefined;
}

async function decompressOn(turn: ThreadTurn, { call, chunks, size }: CompressedPart): Promise<void> {
  // A copy, because the thread gets the memory.
  const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, end);
    end += chunk.length;
  }
  if ((await turn.run({ kind: 'part', call, bytes, size })) !== true)
    throw new DrayageError('MALFORMED', `a compressed part does not have the ${size} bytes that it states`);
}

async function endOf(turn: ThreadTurn): Promise<Digest> {
  try {
    const hex = await turn.run({ kind: 'end' });
    if (typeof hex !== 'string') throw new DrayageError('IO', 'a thread returned no digest');
    return parseDigest(`sha256:${hex}`);
  } finally {
    turn.release();
  }
}

import { RandomAccessReader } from 'yauzl';
import type { RandomAccess } from './random-access.ts';
import { readPart } from './random-access.ts';
import { asError } from '../errors.ts';

/** How much of the end of a zip is read first, in bytes: it contains the directory of some hundred files. */
const TAIL = 16 * 1024;
const MAX_WINDOW = 4 * 1024 * 1024;

/**
 * Serves the zip library's many small reads from a few large ones. The first is the zip's end; each further one is
 * twice as long as the one before.
 */
export class ZipWindow extends RandomAccessReader {
  readonly #file: RandomAccess;
  readonly #signal: AbortSignal | undefined;
  #window: { start: number; bytes: Buffer } = { start: 0, bytes: Buffer.alloc(0) };
  #next: number = TAIL;

  constructor(file: RandomAccess, signal: AbortSignal | undefined) {
    super();
    this.#file = file;
    this.#signal = signal;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#fill(buffer.subarray(offset, offset + length), position).then(
      () => callback(null),
      (error: unknown) => callback(asError(error)),
    );
  }

  async #fill(target: Buffer, position: number): Promise<void> {
    const isSearch = target.length > TAIL && position + target.length === this.#file.size;
    // The library searches for the end record as far back as a comment of 64 KiB would move it. Programs that make
    // artifacts write no comment: the part before the last 16 KiB is not fetched, and stays zero.
    const skip = isSearch ? target.length - TAIL : 0;
    target.fill(0, 0, skip);
    const wanted = target.subarray(skip);
    const from = position + skip;
    if (!this.#holds(from, wanted.length)) await this.#load(from, wanted.length);
    const at = from - this.#window.start;
    this.#window.bytes.copy(wanted, 0, at, at + wanted.length);
  }

  #holds(start: number, length: number): boolean {
    const { start: first, bytes } = this.#window;
    return start >= first && start + length <= first + bytes.length;
  }

  async #load(start: number, length: number): Promise<void> {
    const size = Math.min(Math.max(length, this.#next), this.#file.size - start);
    if (size < length) throw new RangeError(`there is nothing at ${start + length}`);
    this.#next = Math.min(MAX_WINDOW, this.#next * 2);
    this.#window = { start, bytes: await readPart(this.#file, start, size, { signal: this.#signal }) };
  }
}

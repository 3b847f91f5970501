import { DrayageError } from '../errors.ts';
import type { DecompressOptions } from './codec.ts';

/** The memory for the windows of all frames that are decompressed at a time: that of the largest window. */
const MEMORY = 128 * 1024 * 1024;
/** What is left of it to the content of a container whose own window is larger than that. */
const WITHIN = MEMORY / 2;

/** Hands out memory in the order of the requests. */
class Pool {
  /** How much there is now. */
  readonly #capacity: () => number;
  readonly #waiting: { size: number; go: () => void }[] = [];
  #used = 0;

  constructor(capacity: () => number) {
    this.#capacity = capacity;
  }

  get used(): number {
    return this.#used;
  }

  /** @returns frees the memory */
  async take(size: number): Promise<() => void> {
    if (this.#waiting.length > 0 || !this.#fits(size)) {
      await new Promise<void>((go) => {
        this.#waiting.push({ size, go });
      });
    } else {
      this.#used += size;
    }
    return () => this.#free(size);
  }

  #free(size: number): void {
    this.#used -= size;
    // In order, so that a large window is not overtaken for ever.
    for (let [next] = this.#waiting; next !== undefined && this.#fits(next.size); [next] = this.#waiting) {
      this.#waiting.shift();
      this.#used += next.size;
      next.go();
    }
  }

  /** One always fits alone, so that each request comes to its turn. */
  #fits(size: number): boolean {
    return this.#used === 0 || this.#used + size <= this.#capacity();
  }
}

/** A container is decompressed while its content is: waiting for each other, neither would end. */
const containers = new Pool(() => MEMORY);
const contents = new Pool(() => MEMORY - Math.min(containers.used, WITHIN));

/**
 * Waits until there is memory for a decoder's window. Layers are decompressed side by side, and each may state the
 * largest window that there is.
 * @param what names the content in errors
 * @returns frees the memory; call it once
 * @throws {@link DrayageError} `UNSUPPORTED` for content with a window over 64 MiB within a container of such a window
 */
export async function takeWindow(
  size: number,
  what: string,
  { isContainer = false }: DecompressOptions = {},
): Promise<() => void> {
  if (isContainer) return containers.take(size);
  if (size > WITHIN && containers.used > WITHIN) {
    throw new DrayageError(
      'UNSUPPORTED',
      `${what} needs a zstd window of ${size} bytes, as its archive does`,
      {
        expected: WITHIN,
        actual: size,
        hint: 'decompress the archive first, with zstd -d',
      },
    );
  }
  return contents.take(size);
}

import { DrayageError } from '../errors.ts';
import { MAX_WINDOW_LOG } from './zstd-header.ts';

const MIB = 1024 * 1024;
/** The window of all levels up to 19: a container may keep this much while its content is decompressed. */
const COMMON = 8 * MIB;

/** The memory for the windows of one stream of frames. */
export interface Windows {
  /**
   * Waits until there is memory for the window of the next frame.
   * @returns frees the memory; call it once
   * @throws {@link DrayageError} `UNSUPPORTED` for a large window in a container whose first one is small
   */
  take(size: number): Promise<() => void>;
  /** Frees what a container keeps. */
  end(): void;
}

interface Request {
  size: number;
  go: () => void;
}

/** Memory that windows share. Serves requests in their order, so that a large one is not overtaken for ever. */
class WindowMemory {
  readonly limit: number;
  #used = 0;
  readonly #waiting: Request[] = [];

  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  async take(size: number): Promise<() => void> {
    await new Promise<void>((go) => {
      this.#waiting.push({ size, go });
      this.#next();
    });
    return () => {
      this.#used -= size;
      this.#next();
    };
  }

  #next(): void {
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      if (this.#used + next.size > this.limit) return;
      this.#waiting.shift();
      this.#used += next.size;
      next.go();
    }
  }
}

/** For content: the largest window. A decoder that has it waits for no other window, so content waits for content only. */
const contents = new WindowMemory(2 ** MAX_WINDOW_LOG);
/** For containers, which keep it to their end, while their content takes its own: one at a time. */
const containers = new WindowMemory(COMMON);

/** The memory for the windows of all frames that are decompressed at a time. */
export const WINDOW_MEMORY: number = contents.limit + containers.limit;

/** How many bytes of {@link WINDOW_MEMORY} are in use. */
export function windowsInUse(): number {
  return contents.used + containers.used;
}

/**
 * The windows of one stream of frames. Layers are decompressed side by side, and each may state the largest window that
 * there is.
 */
export function contentWindows(): Windows {
  return { take: async (size) => contents.take(size), end: () => {} };
}

/**
 * The windows of a container: of content that holds other compressed content, which is decompressed at the same time. With
 * a large window it must be decompressed to its end before that content is read.
 */
export class ContainerWindows implements Windows {
  readonly #what: string;
  #isLarge: boolean | undefined;
  #free: (() => void) | undefined;

  /** @param what names the content in errors */
  constructor(what: string) {
    this.#what = what;
  }

  /** Whether the first window was large. */
  get isLarge(): boolean {
    return this.#isLarge === true;
  }

  async take(size: number): Promise<() => void> {
    this.#isLarge ??= size > COMMON;
    if (this.#isLarge) return contents.take(size);
    if (size > COMMON) throw this.#grown(size);
    this.#free ??= await containers.take(COMMON);
    return () => {};
  }

  end(): void {
    this.#free?.();
    this.#free = undefined;
  }

  #grown(actual: number): DrayageError {
    const message = `${this.#what} needs a zstd window of ${actual} bytes after frames with smaller ones`;
    return new DrayageError('UNSUPPORTED', message, {
      expected: COMMON,
      actual,
      hint: 'decompress the archive first, with zstd -d',
    });
  }
}

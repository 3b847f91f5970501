import { DrayageError } from '../errors.ts';
import type { DecompressOptions } from './codec.ts';
import { MAX_WINDOW_LOG } from './zstd-header.ts';

const MIB = 1024 * 1024;
/** The window of all levels up to 19. A container reserves no less, and leaves no less to its content. */
const COMMON = 8 * MIB;
/** The memory for the windows of all frames that are decompressed at a time: the largest window, and a common one. */
export const WINDOW_MEMORY: number = 2 ** MAX_WINDOW_LOG + COMMON;

/** The memory for the windows of one stream of frames. */
export interface Windows {
  /**
   * Waits until there is memory for the window of the next frame.
   * @returns frees the memory; call it once
   * @throws {@link DrayageError} `UNSUPPORTED` for a window that does not fit beside that of the open container,
   * whether the content is in it or not, or, in a container, is larger than the first
   */
  take(size: number): Promise<() => void>;
  /** Frees what a container has reserved. */
  end(): void;
}

interface Request {
  size: number;
  go: () => void;
}

/**
 * The memory of all windows. A container keeps its memory to its end, and asks for it before its first frame, when it
 * holds nothing. Its content asks while it is open. So a content waits for other contents only, and none waits for
 * itself.
 */
class WindowMemory {
  /** What the open container has reserved. There is one at a time. */
  #reserved = 0;
  #used = 0;
  readonly #contents: Request[] = [];
  readonly #containers: Request[] = [];

  get inUse(): number {
    return this.#reserved + this.#used;
  }

  /** What is left to all contents, until the container ends. */
  get forContents(): number {
    return WINDOW_MEMORY - this.#reserved;
  }

  async reserve(size: number): Promise<() => void> {
    await this.#turn(this.#containers, size);
    return () => {
      this.#reserved = 0;
      this.#next();
    };
  }

  async use(size: number): Promise<() => void> {
    await this.#turn(this.#contents, size);
    return () => {
      this.#used -= size;
      this.#next();
    };
  }

  async #turn(queue: Request[], size: number): Promise<void> {
    await new Promise<void>((go) => {
      queue.push({ size, go });
      this.#next();
    });
  }

  /** Serves requests in their order, so that a large one is not overtaken for ever; contents before containers. */
  #next(): void {
    for (let [next] = this.#contents; next !== undefined && this.#fits(next); [next] = this.#contents) {
      this.#contents.shift();
      this.#used += next.size;
      next.go();
    }
    // A container that began now would take memory that a content waits for.
    const [next] = this.#containers;
    if (this.#contents.length > 0 || this.#reserved > 0 || next === undefined || !this.#fits(next)) return;
    this.#containers.shift();
    this.#reserved = next.size;
    next.go();
  }

  #fits({ size }: Request): boolean {
    return this.inUse + size <= WINDOW_MEMORY;
  }
}

const memory = new WindowMemory();

/** How many bytes of {@link WINDOW_MEMORY} are in use. */
export function windowsInUse(): number {
  return memory.inUse;
}

/**
 * The windows of one stream of frames. Layers are decompressed side by side, and each may state the largest window that
 * there is.
 * @param what names the content in errors
 */
export function windowsOf(what: string, { isContainer = false }: DecompressOptions = {}): Windows {
  return isContainer ? new ContainerWindows(what) : new ContentWindows(what);
}

class ContentWindows implements Windows {
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  async take(size: number): Promise<() => void> {
    // No waiting for the container's end: its reader may wait for this content, such as a proof of what a store holds.
    const limit = memory.forContents;
    if (size > limit) throw tooLarge(this.#what, size, limit, 'beside that of an archive that is being read');
    return memory.use(size);
  }

  end(): void {}
}

class ContainerWindows implements Windows {
  readonly #what: string;
  #reserved: { size: number; free: () => void } | undefined;

  constructor(what: string) {
    this.#what = what;
  }

  async take(size: number): Promise<() => void> {
    if (this.#reserved === undefined) {
      const reserved = Math.max(size, COMMON);
      this.#reserved = { size: reserved, free: await memory.reserve(reserved) };
    }
    const limit = this.#reserved.size;
    if (size > limit) throw tooLarge(this.#what, size, limit, 'after frames with smaller ones');
    return () => {};
  }

  end(): void {
    this.#reserved?.free();
    this.#reserved = undefined;
  }
}

function tooLarge(what: string, actual: number, expected: number, where: string): DrayageError {
  return new DrayageError('UNSUPPORTED', `${what} needs a zstd window of ${actual} bytes ${where}`, {
    expected,
    actual,
    hint: 'decompress the archive first, with zstd -d',
  });
}

import { ByteReader } from '../../stream/byte-reader.ts';
import type { FillableBytes } from '../../stream/fillable.ts';
import { truncated } from './cut-off.ts';
import type { TarHeader } from './header.ts';
import { BLOCK, quote } from './header.ts';
import type { Sparse } from './sparse.ts';
import { expandSparse } from './sparse.ts';
import type { TailReader } from './tail-reader.ts';

/** The content of an entry. */
export interface EntryBytes extends AsyncIterable<Uint8Array> {
  /** Resolves when the last byte was given out. */
  readonly drained: Promise<void>;
  /** The next `count` bytes, which stay to be read; fewer only where fewer are left. */
  peek(count: number): Promise<Uint8Array>;
}

/** The bytes of an entry, as they are stored. */
export class Body implements EntryBytes, FillableBytes, AsyncIterator<Uint8Array, void, undefined> {
  readonly drained: Promise<void>;
  readonly #reader: TailReader;
  readonly #header: TarHeader;
  #onDrained = (): void => {};
  #left: number;

  constructor(reader: TailReader, header: TarHeader) {
    this.#reader = reader;
    this.#header = header;
    this.#left = header.size;
    this.drained = new Promise((resolve) => {
      this.#onDrained = resolve;
    });
    if (this.#left === 0) this.#onDrained();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async peek(count: number): Promise<Uint8Array> {
    return this.#reader.peek(Math.min(count, this.#left));
  }

  async next(): Promise<IteratorResult<Uint8Array, void>> {
    if (this.#left === 0) return { done: true, value: undefined };
    const value = await this.#reader.some(this.#left);
    this.#passed(value.length);
    return { done: false, value };
  }

  get fillsDirectly(): boolean {
    return this.#reader.fillsDirectly;
  }

  async readInto(target: Uint8Array): Promise<number> {
    if (this.#left === 0) return 0;
    const count = await this.#reader.readInto(target.subarray(0, this.#left));
    this.#passed(count);
    return count;
  }

  /** Passes over what was not read, and the padding. */
  async finish(): Promise<void> {
    const what = `tar entry ${quote(this.#header.name)}`;
    const skipped = await this.#reader.skip(this.#left);
    if (skipped < this.#left) throw truncated(this.#reader, what);
    this.#left = 0;
    await skipPadding(this.#reader, this.#header.size, what);
  }

  #passed(count: number): void {
    if (count === 0) throw truncated(this.#reader, `tar entry ${quote(this.#header.name)}`);
    this.#left -= count;
    if (this.#left === 0) this.#onDrained();
  }
}

/** The bytes of a sparse file, with its zeros. */
export class ExpandedBody implements EntryBytes, AsyncIterator<Uint8Array, void, undefined> {
  readonly drained: Promise<void>;
  readonly #reader: ByteReader;
  #onDrained = (): void => {};

  constructor(stored: Body, sparse: Sparse) {
    this.#reader = new ByteReader(expandSparse(stored, sparse));
    this.drained = new Promise((resolve) => {
      this.#onDrained = resolve;
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async peek(count: number): Promise<Uint8Array> {
    return this.#reader.peek(count);
  }

  /** The end of the map is checked after the last byte: before that, the stored bytes are in use. */
  async next(): Promise<IteratorResult<Uint8Array, void>> {
    const next = await this.#reader.next();
    if (next.done === true) this.#onDrained();
    return next;
  }
}

/** Passes over what fills the last block of `size` bytes. */
export async function skipPadding(reader: TailReader, size: number, what: string): Promise<void> {
  const padding = (BLOCK - (size % BLOCK)) % BLOCK;
  if ((await reader.skip(padding)) < padding) throw truncated(reader, what);
}

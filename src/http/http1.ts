/** Reads one reply of HTTP/1.1 (RFC 9112) from a connection of its own, without a copy of the body. */
import type { FillableBytes } from '../stream/fillable.ts';
import { nextChunk } from '../stream/fillable.ts';

/** What arrives on a connection. */
export interface Arriving {
  /** The bytes that were not read yet, at least one; none only at the end. Valid until the next call. */
  peek(): Promise<Uint8Array>;
  /** Counts bytes that {@link peek} gave as read. */
  skip(count: number): void;
  destroy(error?: Error): void;
}

/** A reply. Its body must be read or destroyed. */
export interface Http1Reply {
  status: number;
  body: Http1Body;
}

/** The most bytes of a reply's head, or of its trailers, as Node has it. */
const MAX_HEAD = 16 * 1024;
/** Bytes per chunk, when chunks are asked for. */
const CHUNK = 64 * 1024;
const LF = 0x0a;

/**
 * Reads the head of a reply to GET; interim replies are passed over.
 * @throws an error named `HTTPParserError` if that is not HTTP; one with the code `ERR_STREAM_PREMATURE_CLOSE` if it ends early
 */
export async function readReply(connection: Arriving): Promise<Http1Reply> {
  for (;;) {
    const lines = await readLines(connection);
    const [, status] = /^HTTP\/1\.[01] ([1-5]\d\d)(?: .*)?$/.exec(lines[0] ?? '') ?? [];
    if (status === undefined) throw garbled('its first line is not one of HTTP/1.1');
    if (status.startsWith('1')) continue;
    const isEmpty = status === '204' || status === '304';
    return { status: Number(status), body: new Http1Body(connection, isEmpty ? 0 : sizeOf(lines.slice(1))) };
  }
}

/** How many bytes a body has: `chunked` if it says so itself, Infinity if it ends with the connection. */
function sizeOf(headers: readonly string[]): number | 'chunked' {
  const fields = headers.map((line) => {
    const [, name, value = ''] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined) throw garbled('a header is malformed');
    return { name: name.toLowerCase(), value };
  });
  const values = (wanted: string): string[] =>
    fields.flatMap(({ name, value }) => (name === wanted ? value.split(/[ \t]*,[ \t]*/) : []));
  const codings = values('transfer-encoding');
  if (codings.length > 0) {
    if (String(codings).toLowerCase() !== 'chunked') throw garbled('its transfer coding is unknown');
    return 'chunked';
  }
  const [length, ...others] = new Set(values('content-length'));
  if (length === undefined) return Infinity;
  if (others.length > 0 || !/^\d{1,15}$/.test(length)) throw garbled('its length is malformed');
  return Number(length);
}

/** The body of a reply. */
class Http1Body implements FillableBytes, AsyncIterableIterator<Uint8Array, void, undefined> {
  readonly fillsDirectly = true;
  readonly #connection: Arriving;
  /** The bytes of the current chunk, or of the body, that are still to come. */
  #left: number;
  /** Where a body in chunks stands; `no` for any other, and after the last chunk. */
  #chunks: 'first' | 'more' | 'no';

  /** @param size in bytes; Infinity if the body ends with the connection */
  constructor(connection: Arriving, size: number | 'chunked') {
    this.#connection = connection;
    this.#left = size === 'chunked' ? 0 : size;
    this.#chunks = size === 'chunked' ? 'first' : 'no';
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array, void>> {
    return nextChunk(this, CHUNK);
  }

  async return(): Promise<IteratorReturnResult<void>> {
    this.destroy();
    return { done: true, value: undefined };
  }

  async readInto(target: Uint8Array): Promise<number> {
    if (this.#left === 0 && this.#chunks !== 'no') await this.#beginChunk();
    if (this.#left === 0) return 0;
    const arrived = await this.#connection.peek();
    if (arrived.length === 0) return this.#endsHere();
    const { read, filled } = this.#take(arrived, target);
    this.#connection.skip(read);
    return filled;
  }

  destroy(error?: Error): void {
    this.#connection.destroy(error);
  }

  /** Reads from chunk to chunk what has arrived: daemons send small ones, and to wait for each costs more than to copy it. */
  #take(arrived: Uint8Array, target: Uint8Array): { read: number; filled: number } {
    for (let read = 0, filled = 0; ;) {
      const part = arrived.subarray(read, read + Math.min(this.#left, target.length - filled));
      target.set(part, filled);
      read += part.length;
      filled += part.length;
      this.#left -= part.length;
      if (this.#left > 0 || this.#chunks === 'no' || filled === target.length) return { read, filled };
      const next = nextChunkOf(arrived.subarray(read, read + MAX_PLAIN_HEAD));
      if (next === undefined) return { read, filled };
      read += next.offset;
      this.#left = next.size;
    }
  }

  async #beginChunk(): Promise<void> {
    if (this.#chunks === 'more' && (await readLine(this.#connection, 2)) !== '')
      throw garbled('a chunk is longer than it says');
    this.#chunks = 'more';
    const [, size] =
      /^([\da-f]{1,12})[ \t]*(?:;.*)?$/i.exec(await readLine(this.#connection, MAX_HEAD)) ?? [];
    if (size === undefined) throw garbled('the size of a chunk is malformed');
    this.#left = Number.parseInt(size, 16);
    if (this.#left > 0) return;
    await readLines(this.#connection);
    this.#chunks = 'no';
  }

  #endsHere(): 0 {
    if (this.#left !== Infinity) throw cutOff();
    this.#left = 0;
    return 0;
  }
}

/** Between two chunks: the end of the one, and the head of the next with its size. */
const BETWEEN_CHUNKS = /^\r\n([\da-f]{1,12})\r\n/i;
const MAX_PLAIN_HEAD = 16;

/** Where the next chunk begins, and its size. Undefined if it must be read line by line: it is not here whole, is the last, or odd. */
function nextChunkOf(bytes: Uint8Array): { offset: number; size: number } | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const [line, digits = ''] = BETWEEN_CHUNKS.exec(head) ?? [];
  const size = Number.parseInt(digits, 16);
  return line !== undefined && size > 0 ? { offset: line.length, size } : undefined;
}

/** Reads lines up to an empty one. */
async function readLines(connection: Arriving): Promise<string[]> {
  const lines: string[] = [];
  for (let left = MAX_HEAD; ;) {
    const line = await readLine(connection, left);
    if (line === '') return lines;
    lines.push(line);
    left -= line.length + 2;
  }
}

/** Reads a line of at most `limit` bytes. */
async function readLine(connection: Arriving, limit: number): Promise<string> {
  let line = '';
  for (;;) {
    const arrived = await connection.peek();
    if (arrived.length === 0) throw cutOff();
    const end = arrived.indexOf(LF);
    const part = end === -1 ? arrived : arrived.subarray(0, end + 1);
    if (line.length + part.length > limit) throw garbled('a line is too long');
    line += Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1');
    connection.skip(part.length);
    if (end !== -1) return line.replace(/\r?\n$/, '');
  }
}

function garbled(why: string): Error {
  return Object.assign(new Error(`the reply is not HTTP: ${why}`), { name: 'HTTPParserError' });
}

function cutOff(): Error {
  return Object.assign(new Error('the reply ended early'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
}

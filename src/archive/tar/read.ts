import { DrayageError } from '../../errors.ts';
import { appendedMessage } from './daemon-message.ts';
import type { Extension } from './extension.ts';
import { MAX_EXTENSION_SIZE, parseLongName, parsePax } from './extension.ts';
import type { EntryType, TarHeader } from './header.ts';
import { BLOCK, hasChecksum, isZero, parseHeader, quote } from './header.ts';
import { TailReader } from './tail-reader.ts';

/** An entry of a tar archive. */
export interface TarEntry {
  type: EntryType;
  /** As it stands in the archive. */
  name: string;
  /** Bytes of content; 0 for anything that is not a file. */
  size: number;
  /** Where a link points to; else empty. */
  target: string;
  /** The content, once. It must not be read any more when the next entry has been asked for. */
  bytes: EntryBytes;
}

/** The content of an entry. */
interface EntryBytes extends AsyncIterable<Uint8Array> {
  /** Resolves when the last byte was given out. */
  readonly drained: Promise<void>;
  /** The next `count` bytes, which stay to be read; fewer only where fewer are left. */
  peek(count: number): Promise<Uint8Array>;
}

/** How many entries an archive may have. */
const MAX_ENTRIES = 100_000;
/** How much of what should not be there is looked at, in bytes. */
const READ_SIZE = 64 * 1024;

/**
 * Reads a tar archive (ustar, GNU or pax) entry by entry, in one pass, pulling no more than is asked for.
 *
 * Strict where others let things pass: an archive has to end with its two zero blocks and with nothing but zeros after
 * them; sizes stand only on files; every extension has to follow its grammar. So an archive that was cut anywhere, or that
 * two programs could read differently, is an error.
 *
 * What an entry leaves unread is skipped.
 * @throws {@link DrayageError} `TRUNCATED`, `MALFORMED`, `UNSUPPORTED` for kinds of entries that image archives do not hold,
 * `LIMIT`
 */
export async function* readTar(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry, void, undefined> {
  const reader = bytes instanceof TailReader ? bytes : new TailReader(bytes);
  try {
    for (let count = 0; ; count++) {
      const header = await nextHeader(reader);
      if (header === undefined) return await readEnd(reader);
      if (count === MAX_ENTRIES)
        throw new DrayageError('LIMIT', `the archive has over ${MAX_ENTRIES} entries`);
      const body = new Body(reader, header);
      yield { ...header, bytes: body };
      await body.finish();
    }
  } finally {
    await reader.release();
  }
}

type EntryHeader = TarHeader & { type: EntryType };

/** The next entry's header, with all that extends it; undefined at the first of the two zero blocks. */
async function nextHeader(reader: TailReader): Promise<EntryHeader | undefined> {
  const extension: Extension = {};
  for (let extended = false; ; extended = true) {
    const block = await readBlock(reader);
    if (isZero(block)) {
      if (extended)
        throw new DrayageError('MALFORMED', 'the archive ends after a header that extends another');
      return undefined;
    }
    if (!hasChecksum(block)) throw await noHeader(reader);
    const header = parseHeader(block);
    if (isEntry(header)) return extend(header, extension);
    await readExtension(reader, header, extension);
  }
}

function isEntry(header: TarHeader): header is EntryHeader {
  return ['file', 'directory', 'symlink', 'hardlink'].includes(header.type);
}

async function readExtension(reader: TailReader, header: TarHeader, extension: Extension): Promise<void> {
  if (header.size > MAX_EXTENSION_SIZE) {
    throw new DrayageError('LIMIT', `a tar header has an extension of ${header.size} bytes`, {
      expected: MAX_EXTENSION_SIZE,
      actual: header.size,
    });
  }
  const content = await reader.read(header.size);
  if (content.length < header.size) throw truncated(reader, 'a tar header');
  await skipPadding(reader, header.size, 'a tar header');
  const found = parseExtension(header, content);
  for (const key of ['name', 'target', 'size'] as const) {
    if (found[key] !== undefined && extension[key] !== undefined)
      throw new DrayageError('MALFORMED', `a tar entry has its ${key} stated twice`);
  }
  Object.assign(extension, found);
}

function parseExtension(header: TarHeader, content: Uint8Array): Extension {
  if (header.type === 'long-name') return { name: parseLongName(content) };
  if (header.type === 'long-link') return { target: parseLongName(content) };
  const found = parsePax(content);
  if (header.type === 'global-pax' && Object.keys(found).length > 0) {
    throw new DrayageError('MALFORMED', 'a pax header states a name or a size for all entries at once');
  }
  return found;
}

function extend(header: EntryHeader, extension: Extension): EntryHeader {
  const entry = { ...header, ...extension };
  if (entry.type === 'file' && entry.name.endsWith('/')) entry.type = 'directory';
  if (entry.type !== 'file' && entry.size !== 0) {
    throw new DrayageError('MALFORMED', `tar entry ${quote(entry.name)} is a ${entry.type} with content`, {
      entry: entry.name,
      actual: entry.size,
    });
  }
  return entry;
}

class Body implements EntryBytes, AsyncIterator<Uint8Array, void, undefined> {
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
    if (value.length === 0) throw truncated(this.#reader, `tar entry ${quote(this.#header.name)}`);
    this.#left -= value.length;
    if (this.#left === 0) this.#onDrained();
    return { done: false, value };
  }

  /** Passes over what was not read, and the padding. */
  async finish(): Promise<void> {
    const what = `tar entry ${quote(this.#header.name)}`;
    const skipped = await this.#reader.skip(this.#left);
    if (skipped < this.#left) throw truncated(this.#reader, what);
    this.#left = 0;
    await skipPadding(this.#reader, this.#header.size, what);
  }
}

async function skipPadding(reader: TailReader, size: number, what: string): Promise<void> {
  const padding = (BLOCK - (size % BLOCK)) % BLOCK;
  if ((await reader.skip(padding)) < padding) throw truncated(reader, what);
}

async function readBlock(reader: TailReader): Promise<Uint8Array> {
  const block = await reader.read(BLOCK);
  if (block.length === BLOCK) return block;
  throw truncated(reader, block.length === 0 ? 'the archive, between two entries' : 'a tar header');
}

/** Reads the second zero block, and makes sure that nothing follows. */
async function readEnd(reader: TailReader): Promise<void> {
  if (!isZero(await readBlock(reader))) {
    throw new DrayageError('MALFORMED', 'the archive has a zero block between its entries');
  }
  for (;;) {
    const piece = await reader.some(READ_SIZE);
    if (piece.length === 0) return;
    if (!isZero(piece)) throw await noHeader(reader, 'the archive goes on after its end');
  }
}

/** The error for bytes that are no tar header: a daemon's message, where it is one. */
async function noHeader(
  reader: TailReader,
  message = 'not a tar archive, or a damaged one',
): Promise<DrayageError> {
  await reader.skip(READ_SIZE);
  return daemonError(reader) ?? new DrayageError('MALFORMED', message);
}

function truncated(reader: TailReader, where: string): DrayageError {
  return (
    daemonError(reader) ?? new DrayageError('TRUNCATED', `the archive is cut off: it ends inside ${where}`)
  );
}

function daemonError(reader: TailReader): DrayageError | undefined {
  const message = appendedMessage(reader.tail());
  if (message === undefined) return undefined;
  return new DrayageError('TRUNCATED', `the daemon broke its archive off: ${message}`, { actual: message });
}

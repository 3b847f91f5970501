import { DrayageError } from '../../errors.ts';
import type { EntryBytes } from './body.ts';
import { Body, ExpandedBody, skipPadding } from './body.ts';
import { daemonError, truncated } from './cut-off.ts';
import type { Extension } from './extension.ts';
import { MAX_EXTENSION_SIZE, parseLongName, parsePax } from './extension.ts';
import type { EntryType, TarHeader } from './header.ts';
import { BLOCK, hasChecksum, isZero, parseHeader, quote } from './header.ts';
import { notTar } from './not-tar.ts';
import type { Sparse } from './sparse.ts';
import { TailReader } from './tail-reader.ts';

/** An entry of a tar archive. */
export interface TarEntry {
  type: EntryType;
  /** As it stands in the archive. */
  name: string;
  /** Bytes of content, of a sparse file with its zeros; 0 for anything that is not a file. */
  size: number;
  /** Where a link points to; else empty. */
  target: string;
  /** The content, once. It must not be read any more when the next entry has been asked for. */
  bytes: EntryBytes;
}

/** How many entries an archive may have. */
const MAX_ENTRIES = 100_000;
/** How much of what should not be there is looked at, in bytes. */
const READ_SIZE = 64 * 1024;

/** Options of {@link readTar}. */
interface ReadTarOptions {
  /**
   * Called when an archive ends between two entries, without its two zero blocks: it may be cut off, which only its content
   * can tell. Default: it is an error.
   * @param error to be thrown if something is missing
   */
  onUnended?: (error: DrayageError) => void;
}

/**
 * Reads a tar archive (v7, ustar, GNU or pax) entry by entry, in one pass, pulling no more than is asked for.
 *
 * Strict where others let things pass: an archive has to end with its two zero blocks and with nothing but zeros after
 * them; sizes stand only on files; every extension has to follow its grammar. So an archive that was cut anywhere, or that
 * two programs could read differently, is an error.
 *
 * What an entry leaves unread is skipped.
 * @throws {@link DrayageError} `TRUNCATED`, `MALFORMED`, `UNSUPPORTED` for kinds of entries that image archives do not hold,
 * `LIMIT`
 */
export async function* readTar(
  bytes: AsyncIterable<Uint8Array>,
  { onUnended }: ReadTarOptions = {},
): AsyncGenerator<TarEntry, void, undefined> {
  const reader = bytes instanceof TailReader ? bytes : new TailReader(bytes);
  try {
    for (let count = 0; ; count++) {
      const header = await nextHeader(reader, count === 0);
      if (header === 'end') return;
      if (header === 'unended') {
        const error = truncated(reader, 'the archive, between two entries');
        if (onUnended === undefined || count === 0) throw error;
        onUnended(error);
        return;
      }
      if (count === MAX_ENTRIES)
        throw new DrayageError('LIMIT', `the archive has over ${MAX_ENTRIES} entries`);
      const body = new Body(reader, header);
      const { sparse, ...entry } = header;
      yield sparse === undefined
        ? { ...entry, bytes: body }
        : { ...entry, size: sparse.size, bytes: new ExpandedBody(body, sparse) };
      await body.finish();
    }
  } finally {
    await reader.release();
  }
}

type EntryHeader = TarHeader & { type: EntryType; sparse?: Sparse };

/** The next entry's header, with all that extends it; or how the archive ends. */
async function nextHeader(reader: TailReader, isFirst: boolean): Promise<EntryHeader | 'end' | 'unended'> {
  const extension: Extension = {};
  for (let extended = false; ; extended = true) {
    const block = await reader.read(BLOCK);
    if (isZero(block) && extended)
      throw block.length < BLOCK
        ? truncated(reader, 'a tar header')
        : new DrayageError('MALFORMED', 'the archive ends after a header that extends another');
    if (isZero(block)) return block.length < BLOCK ? 'unended' : readEnd(reader);
    if (!hasChecksum(block)) throw await noHeader(reader, block, isFirst && !extended);
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
  for (const key of ['name', 'target', 'size', 'sparse'] as const) {
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
  if (entry.sparse !== undefined && entry.type !== 'file') {
    throw new DrayageError('MALFORMED', `tar entry ${quote(entry.name)} is a sparse ${entry.type}`, {
      entry: entry.name,
    });
  }
  return entry;
}

/** Reads the second zero block, and makes sure that nothing follows. */
async function readEnd(reader: TailReader): Promise<'end' | 'unended'> {
  const second = await reader.read(BLOCK);
  if (!isZero(second)) {
    if (second.length < BLOCK) throw truncated(reader, 'a tar header');
    throw new DrayageError('MALFORMED', 'the archive has a zero block between its entries');
  }
  if (second.length < BLOCK) return 'unended';
  for (;;) {
    const piece = await reader.some(READ_SIZE);
    if (piece.length === 0) return 'end';
    if (isZero(piece)) continue;
    await reader.skip(READ_SIZE);
    throw daemonError(reader) ?? new DrayageError('MALFORMED', 'the archive goes on after its end');
  }
}

/** The error for bytes that are no tar header: a daemon's message, where it is one. */
async function noHeader(reader: TailReader, block: Uint8Array, isFirst: boolean): Promise<DrayageError> {
  // A daemon appends its message to what it has sent. Without an entry before it, it is the answer of any server.
  if (isFirst) return notTar(block);
  await reader.skip(READ_SIZE);
  const said = daemonError(reader);
  if (said !== undefined) return said;
  if (block.length < BLOCK) return truncated(reader, 'a tar header');
  return new DrayageError('MALFORMED', 'the archive is damaged: what follows an entry is no tar header');
}

import type { Entry } from 'yauzl';
import type { ContentOptions } from '../content/source.ts';
import { asError, DrayageError, isDrayageError } from '../errors.ts';
import type { RandomAccess } from './random-access.ts';

/** A file in a zip, as the zip's directory describes it. */
export interface ZipEntry {
  path: string;
  /** Uncompressed bytes of the file. */
  size: number;
  /** Bytes of the file in the zip. */
  compressedSize: number;
  method: 'stored' | 'deflated';
  crc32: number;
  /** Offset of its local header. */
  start: number;
  /** Offset of the next local header, or of the directory. */
  end: number;
}

/** The maximum number of files: a directory of 100 MiB, GitLab's own limit, lists fewer. */
const MAX_ENTRIES = 500_000;
const LOCAL_HEADER = 30;
const ENCRYPTED = 1;
const UNIX = 3;
const REGULAR = 0o100000;
const METHODS: Record<number, ZipEntry['method']> = { 0: 'stored', 8: 'deflated' };

/**
 * Reads the directory of a zip. Some files cannot be opened: a name that occurs twice, a link, a file that overlaps
 * another one, an encrypted file, and one with an unusual compression. Opening such a file is an error; the other files
 * stay readable.
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT`, and errors of the file
 */
export async function readZipDirectory(
  file: RandomAccess,
  { signal }: ContentOptions = {},
): Promise<Map<string, ZipEntry | DrayageError>> {
  const files = new Map<string, ZipEntry | DrayageError>();
  const starts: number[] = [];
  try {
    const { fromRandomAccessReaderPromise } = await import('yauzl');
    const { ZipWindow } = await import('./zip-window.ts');
    const zip = await fromRandomAccessReaderPromise(new ZipWindow(file, signal), file.size, {
      autoClose: false,
      decodeStrings: false,
    });
    if (zip.entryCount > MAX_ENTRIES) throw tooMany(file, zip.entryCount);
    for await (const entry of zip.eachEntry()) {
      starts.push(entry.relativeOffsetOfLocalHeader);
      const path = entry.fileNameRaw.toString();
      if (path.endsWith('/')) continue;
      // Only what is needed of an entry is kept: there may be many.
      files.set(path, files.has(path) ? twice(file, path) : toFile(file, entry, path));
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (isDrayageError(cause)) throw cause;
    const why = asError(cause).message;
    throw damaged(file, `is not a readable zip: ${why}`, cause);
  }
  setEnds(file, files, Float64Array.from(starts).toSorted());
  return files;
}

/**
 * Sets where each file must end: where the next entry begins. A file that does not is an error.
 * @param starts of all entries, sorted
 */
function setEnds(
  file: RandomAccess,
  files: Map<string, ZipEntry | DrayageError>,
  starts: Float64Array,
): void {
  for (const [path, entry] of files) {
    if (isDrayageError(entry)) continue;
    entry.end = starts[firstAfter(starts, entry.start)] ?? file.size;
    if (entry.start + LOCAL_HEADER + Buffer.byteLength(path) + entry.compressedSize <= entry.end) continue;
    files.set(path, damaged(file, `holds ${path} where another file is`));
  }
}

/** The index of the first of these sorted numbers that is larger. */
function firstAfter(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The kind of file in a Unix mode, `S_IFMT`; 0 if the zip was not made on Unix. */
function typeOf(entry: Entry): number {
  return entry.versionMadeBy >> 8 === UNIX ? (entry.externalFileAttributes >>> 16) & 0o170000 : 0;
}

function toFile(file: RandomAccess, entry: Entry, path: string): ZipEntry | DrayageError {
  const { uncompressedSize: size, compressedSize, crc32, relativeOffsetOfLocalHeader: start } = entry;
  const type = typeOf(entry);
  if (type !== 0 && type !== REGULAR) {
    return new DrayageError('LINK', `the artifact ${file.name} holds ${path} as a link`, { entry: path });
  }
  const method = METHODS[entry.compressionMethod];
  if (method === undefined || (entry.generalPurposeBitFlag & ENCRYPTED) !== 0) {
    return damaged(file, `holds ${path} in an unsupported form`);
  }
  return { path, size, compressedSize, method, crc32, start, end: file.size };
}

function twice(file: RandomAccess, path: string): DrayageError {
  return damaged(file, `holds ${path} twice`);
}

function tooMany(file: RandomAccess, count: number): DrayageError {
  return new DrayageError('LIMIT', `the artifact ${file.name} holds ${count} files, over the limit`, {
    url: file.name,
    expected: MAX_ENTRIES,
    actual: count,
  });
}

/** The error for a damaged archive. */
export function damaged(file: RandomAccess, what: string, cause?: unknown): DrayageError {
  return new DrayageError('MALFORMED', `the artifact ${file.name} ${what}`, {
    url: file.name,
    cause,
    hint: 'run the job that made the artifact again',
  });
}

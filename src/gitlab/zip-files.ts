// A Node that is too old has no crc32. It must still load this file, to say so.
import * as zlib from 'node:zlib';
import type { ContentOptions, OpenOptions } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import { STREAM_BUFFERS, through } from '../stream/through.ts';
import type { Passage } from '../stream/through.ts';
import type { ArtifactFiles } from './artifact-files.ts';
import type { RandomAccess } from './random-access.ts';
import { readPart } from './random-access.ts';
import { sliceBytes, takeHead } from './slices.ts';
import type { ZipEntry } from './zip-directory.ts';
import { damaged, readZipDirectory } from './zip-directory.ts';

/** The size of an unreadable file. Reading it reports the reason. */
const DAMAGED = -1;
const LOCAL_HEADER = 30;
const LOCAL_SIGNATURE = 0x04034b50;
/** The longest extra field before a file's bytes: programs that make artifacts write far less. */
const MAX_EXTRA = 1024;

/** The files of an artifact's zip. Each is read by one request: its local header and its bytes. */
export class ZipFiles implements ArtifactFiles {
  readonly name: string;
  readonly sizes: ReadonlyMap<string, number>;
  readonly #file: RandomAccess;
  readonly #entries: ReadonlyMap<string, ZipEntry | DrayageError>;

  private constructor(file: RandomAccess, entries: ReadonlyMap<string, ZipEntry | DrayageError>) {
    this.name = file.name;
    this.#file = file;
    this.#entries = entries;
    this.sizes = new Map([...entries].map(([path, entry]) => [path, 'size' in entry ? entry.size : DAMAGED]));
  }

  /**
   * Reads the zip's directory. The file is closed together with the result, and also if this fails.
   * @throws {@link DrayageError} `MALFORMED`, `LIMIT`, and errors of the file
   */
  static async open(file: RandomAccess, options?: ContentOptions): Promise<ZipFiles> {
    try {
      return new ZipFiles(file, await readZipDirectory(file, options));
    } catch (error) {
      await file[Symbol.asyncDispose]();
      throw error;
    }
  }

  get isRemote(): boolean {
    return this.#file.isRemote;
  }

  async *read(
    path: string,
    { offset = 0, signal }: OpenOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const entry = this.#entries.get(path);
    if (entry === undefined)
      throw new DrayageError('NOT_FOUND', `${this.name} holds no ${path}`, { entry: path });
    if (isDrayageError(entry)) throw entry;
    if (entry.method === 'deflated') {
      yield* sliceBytes(this.#inflated(entry, signal), offset);
    } else {
      yield* offset === 0 ? this.#bytes(entry, signal) : this.#bytesFrom(entry, offset, signal);
    }
  }

  check(path: string, bytes: Uint8Array): void {
    const entry = this.#entries.get(path);
    if (entry === undefined || !('crc32' in entry) || zlib.crc32(bytes) === entry.crc32) return;
    throw damaged(this.#file, `holds ${path} damaged: its checksum differs`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  /** The bytes of an entry as the zip contains them, after its local header, which must name the same file. */
  async *#bytes(
    entry: ZipEntry,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const headLength = LOCAL_HEADER + Buffer.byteLength(entry.path);
    const length = Math.min(entry.end - entry.start, headLength + MAX_EXTRA + entry.compressedSize);
    const { head, rest } = await takeHead(this.#file.read(entry.start, length, { signal }), headLength);
    try {
      const extra = this.#checkHeader(entry, head, length);
      yield* sliceBytes(rest, extra, entry.compressedSize);
    } finally {
      await rest.return(undefined);
    }
  }

  /** The same from an offset on, by two requests: the header says where the bytes begin. */
  async *#bytesFrom(
    entry: ZipEntry,
    offset: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const headLength = LOCAL_HEADER + Buffer.byteLength(entry.path);
    const head = await readPart(this.#file, entry.start, headLength, { signal });
    const extra = this.#checkHeader(entry, head, entry.end - entry.start);
    const start = entry.start + headLength + extra + offset;
    yield* this.#file.read(start, entry.compressedSize - offset, { signal });
  }

  /** @returns the length of the header's extra field */
  #checkHeader(entry: ZipEntry, head: Buffer, room: number): number {
    const name = Buffer.from(entry.path);
    const method = entry.method === 'stored' ? 0 : 8;
    const agrees =
      head.length === LOCAL_HEADER + name.length &&
      head.readUInt32LE(0) === LOCAL_SIGNATURE &&
      head.readUInt16LE(8) === method &&
      head.readUInt16LE(26) === name.length &&
      head.subarray(LOCAL_HEADER).equals(name);
    if (!agrees) throw damaged(this.#file, `has another file where its directory says ${entry.path}`);
    const extra = head.readUInt16LE(28);
    if (head.length + extra + entry.compressedSize <= room) return extra;
    throw damaged(this.#file, `holds ${entry.path} where another file is`);
  }

  async *#inflated(
    entry: ZipEntry,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const passage: Passage = { received: 0 };
    let size = 0;
    try {
      const bytes = this.#bytes(entry, signal);
      for await (const chunk of through(bytes, zlib.createInflateRaw(STREAM_BUFFERS), passage)) {
        size += chunk.length;
        if (size > entry.size) break;
        yield chunk;
      }
    } catch (error) {
      throw (
        passage.failure ?? damaged(this.#file, `holds ${entry.path} damaged: it cannot be inflated`, error)
      );
    }
    if (size !== entry.size)
      throw damaged(this.#file, `holds ${entry.path} of another size than its directory says`);
  }
}

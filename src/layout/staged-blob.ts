import type { FileHandle } from 'node:fs/promises';
import type { BeginOptions, BlobWriter, FileDigester } from '../content/sink.ts';
import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest, Digester } from '../oci/digest.ts';
import { createDigester, digestAlgorithm } from '../oci/digest.ts';
import { OCTET_STREAM } from '../oci/media-types.ts';
import { digestMismatch, sizeMismatch } from '../stream/verified.ts';
import { readBlob } from './blob-file.ts';
import type { Folder } from '../disk/folder.ts';
import { ignoreErrors, onDisk } from '../disk/io-error.ts';

/** A complete {@link StagedBlob}, for its owner. */
export interface StagedFile {
  /** Its name in the staging folder. */
  name: string;
  descriptor: Descriptor;
  /** Open for writing; the owner syncs and closes it. */
  handle: FileHandle;
}

/** Where a {@link StagedBlob} is written. */
export interface StagedPlace {
  folder: Folder;
  name: string;
}

/** The owner of a {@link StagedBlob}. */
export interface StagedBlobOwner {
  /** Throws if nothing more may be written. */
  assertUsable(): void;
  /** Takes the complete file over. */
  keep(blob: StagedBlob, file: StagedFile): void;
  /** Called when the blob was dropped and its file removed. */
  dropped(blob: StagedBlob): void;
}

/** How much is gathered before a write, in bytes and in chunks: each write is a round trip to a thread. */
const BATCH = { size: 1024 * 1024, chunks: 512 };

/** A blob in staging. It keeps one name from the first byte to the end of the transaction. */
export class StagedBlob implements BlobWriter {
  readonly #folder: Folder;
  readonly #name: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #owner: StagedBlobOwner;
  readonly #digestFile: BeginOptions['digestFile'];
  #digester: Digester | undefined;
  #fileDigester: FileDigester | undefined;
  #size = 0;
  #gathered: Uint8Array[] = [];
  #gatheredSize = 0;
  /** All writes so far, in order. */
  #writing: Promise<void> = Promise.resolve();
  #digest: Promise<Digest> | undefined;
  #commit: Promise<Descriptor> | undefined;
  #dropping: Promise<void> | undefined;

  private constructor(
    { folder, name }: StagedPlace,
    handle: FileHandle,
    owner: StagedBlobOwner,
    options: BeginOptions,
  ) {
    this.#folder = folder;
    this.#name = name;
    this.#path = folder.pathOf(name);
    this.#handle = handle;
    this.#owner = owner;
    this.#digestFile = options.digestFile;
  }

  /** Makes the file, which must not exist. */
  static async create(
    place: StagedPlace,
    owner: StagedBlobOwner,
    options: BeginOptions = {},
  ): Promise<StagedBlob> {
    const { folder, name } = place;
    const handle = await onDisk(folder.pathOf(name), 'make', () => folder.create(name, 0o644));
    return new StagedBlob(place, handle, owner, options);
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#owner.assertUsable();
    if (this.#dropping ?? this.#commit) throw over(this.#path);
    this.#gathered.push(chunk);
    this.#gatheredSize += chunk.length;
    if (this.#gatheredSize < BATCH.size && this.#gathered.length < BATCH.chunks) return;
    if (this.#digester === undefined) this.#fileDigester ??= this.#digestFile?.(this.#handle.fd);
    // One batch is written while the next is gathered.
    const before = this.#writing;
    this.#pass();
    await before;
  }

  async flush(): Promise<void> {
    this.#pass();
    await this.#writing;
  }

  async commit(expected: Partial<Descriptor> = {}): Promise<Descriptor> {
    if (this.#dropping !== undefined && this.#commit === undefined) throw over(this.#path);
    this.#commit ??= this.#finish(expected);
    return this.#commit;
  }

  async abort(): Promise<void> {
    if (this.#commit === undefined) await this.#drop();
  }

  /** Drops the blob, or waits for a commit that has begun. */
  async close(): Promise<void> {
    await this.abort();
    await ignoreErrors(async () => this.#commit);
  }

  async #finish(expected: Partial<Descriptor>): Promise<Descriptor> {
    try {
      this.#owner.assertUsable();
      const descriptor = await this.#check(expected);
      // Readable by everyone, whatever the umask: another job's user reads the artifact.
      await ignoreErrors(() => this.#handle.chmod(0o644));
      this.#owner.keep(this, { name: this.#name, descriptor, handle: this.#handle });
      return descriptor;
    } catch (error) {
      await this.#drop();
      throw error;
    }
  }

  async #check({ digest, size, mediaType = OCTET_STREAM }: Partial<Descriptor>): Promise<Descriptor> {
    this.#digest = this.#settle();
    const actual = await this.#digest;
    const expected = { digest: digest ?? actual, size: size ?? this.#size };
    if (this.#size !== expected.size) throw sizeMismatch(expected, this.#size, `blob ${expected.digest}`);
    const descriptor = { mediaType, ...expected };
    if (digestAlgorithm(expected.digest) !== digestAlgorithm(actual)) {
      const file = { root: this.#folder, names: [this.#name] };
      // oxlint-disable-next-line no-unused-vars -- reading to the end is the check
      for await (const _ of readBlob(file, descriptor));
    } else if (actual !== expected.digest) {
      throw digestMismatch(expected, actual, `blob ${expected.digest}`);
    }
    return descriptor;
  }

  /** Passes on the gathered chunks to be written and hashed. */
  #pass(): void {
    const chunks = this.#gathered;
    const position = this.#size;
    this.#size += this.#gatheredSize;
    this.#gathered = [];
    this.#gatheredSize = 0;
    const grown = this.#size;
    this.#writing = this.#writing.then(async () => {
      await onDisk(this.#path, 'write', () => writeAll(this.#handle, chunks, position));
      this.#fileDigester?.grown(grown);
    });
    // The next write, or the end, reports it.
    this.#writing.catch(() => undefined);
    if (this.#fileDigester === undefined) {
      this.#digester ??= createDigester();
      for (const chunk of chunks) this.#digester.update(chunk);
    }
  }

  async #settle(): Promise<Digest> {
    this.#pass();
    try {
      await this.#writing;
    } catch (error) {
      await this.#fileDigester?.drop();
      throw error;
    }
    return this.#fileDigester?.digest() ?? (this.#digester ?? createDigester()).digest();
  }

  async #drop(): Promise<void> {
    this.#dropping ??= this.#remove();
    await this.#dropping;
  }

  async #remove(): Promise<void> {
    await ignoreErrors(() => this.#writing);
    if (this.#digest === undefined) await this.#fileDigester?.drop();
    else await ignoreErrors(async () => this.#digest);
    await ignoreErrors(() => this.#handle.close());
    await ignoreErrors(() => this.#folder.remove(this.#name));
    this.#owner.dropped(this);
  }
}

/** Writes chunks one after the other, whole. */
export async function writeAll(handle: FileHandle, chunks: Uint8Array[], position: number): Promise<void> {
  if (chunks.length === 0) return;
  let { bytesWritten: written } = await handle.writev(chunks, position);
  let at = position;
  for (const chunk of chunks) {
    const done = Math.min(written, chunk.length);
    written -= done;
    if (done < chunk.length) await writeRest(handle, chunk, done, at);
    at += chunk.length;
  }
}

/** Writes the rest of a chunk after a short write. */
async function writeRest(
  handle: FileHandle,
  chunk: Uint8Array,
  from: number,
  position: number,
): Promise<void> {
  for (let done = from; done < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

function over(path: string): DrayageError {
  return new DrayageError('USAGE', `the blob ${path} was committed or aborted already`, { path });
}

import type { FileHandle } from 'node:fs/promises';
import { chmod, open, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { BlobWriter } from '../content.ts';
import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digester } from '../oci/digest.ts';
import { createDigester, digestAlgorithm } from '../oci/digest.ts';
import { OCTET_STREAM } from '../oci/media-types.ts';
import { digestMismatch, sizeMismatch } from '../stream/verified.ts';
import { readBlob } from './blob-file.ts';
import { attempt, onDisk } from './io-error.ts';

/** What a {@link StagedBlob} hands over when it is whole. */
export interface StagedFile {
  path: string;
  descriptor: Descriptor;
  /** Open for writing; whoever takes over syncs and closes it. */
  handle: FileHandle;
}

/** A blob in staging. It has one path from the first byte to the end of the transaction. */
export class StagedBlob implements BlobWriter {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #digester: Digester = createDigester();
  readonly #assertUsable: () => void;
  readonly #keep: (file: StagedFile) => void;
  #size = 0;
  #commit: Promise<Descriptor> | undefined;
  #aborted = false;

  private constructor(
    path: string,
    handle: FileHandle,
    assertUsable: () => void,
    keep: (file: StagedFile) => void,
  ) {
    this.path = path;
    this.#handle = handle;
    this.#assertUsable = assertUsable;
    this.#keep = keep;
  }

  /**
   * @param assertUsable throws when nothing more may be written
   * @param keep takes over the file when it is whole
   */
  static async create(
    path: string,
    assertUsable: () => void,
    keep: (file: StagedFile) => void,
  ): Promise<StagedBlob> {
    const handle = await onDisk(path, 'make', () => open(path, 'wx+', 0o644));
    return new StagedBlob(path, handle, assertUsable, keep);
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#assertUsable();
    if (this.#aborted || this.#commit !== undefined) throw over(this.path);
    const position = this.#size;
    this.#size += chunk.length;
    const written = onDisk(this.path, 'write', () => writeAll(this.#handle, chunk, position));
    this.#digester.update(chunk);
    await written;
  }

  async commit(expected: Partial<Descriptor> = {}): Promise<Descriptor> {
    if (this.#aborted) throw over(this.path);
    this.#commit ??= this.#finish(expected);
    return this.#commit;
  }

  async abort(): Promise<void> {
    if (this.#aborted || this.#commit !== undefined) return;
    await this.#drop();
  }

  async #finish(expected: Partial<Descriptor>): Promise<Descriptor> {
    try {
      this.#assertUsable();
      const descriptor = await this.#check(expected);
      // Readable by everyone, whatever the umask: another job's user reads the artifact.
      await attempt(() => chmod(this.path, 0o644));
      this.#keep({ path: this.path, descriptor, handle: this.#handle });
      return descriptor;
    } catch (error) {
      await this.#drop();
      throw error;
    }
  }

  async #check({ digest, size, mediaType = OCTET_STREAM }: Partial<Descriptor>): Promise<Descriptor> {
    const actual = this.#digester.digest();
    const expected = { digest: digest ?? actual, size: size ?? this.#size };
    if (this.#size !== expected.size) throw sizeMismatch(expected, this.#size, `blob ${expected.digest}`);
    const descriptor = { mediaType, ...expected };
    if (digestAlgorithm(expected.digest) !== digestAlgorithm(actual)) {
      const file = { root: dirname(this.path), names: [basename(this.path)] };
      // oxlint-disable-next-line no-unused-vars -- reading to the end is the check
      for await (const _ of readBlob(file, descriptor));
    } else if (actual !== expected.digest) {
      throw digestMismatch(expected, actual, `blob ${expected.digest}`);
    }
    return descriptor;
  }

  async #drop(): Promise<void> {
    this.#aborted = true;
    await attempt(() => this.#handle.close());
    await attempt(() => rm(this.path, { force: true }));
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

function over(path: string): DrayageError {
  return new DrayageError('USAGE', `the blob ${path} was committed or aborted already`, { path });
}

import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { chmod, mkdir, open, rename, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
import { isDrayageError, isMismatch } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { BlobFile } from './blob-file.ts';
import { blobNames, blobPath, hasBlob, openBlob } from './blob-file.ts';
import { PARTIAL, sweepCache } from './cache-sweep.ts';
import { attempt, onDisk } from '../disk/io-error.ts';
import { look } from '../disk/below.ts';
import { verifyBlobFile } from './verify-blob.ts';

/** Options of {@link BlobCache.open}. */
export interface BlobCacheOptions {
  /** The maximum size in bytes; the least recently used blobs go first. Default 10 GiB. */
  maxBytes?: number | undefined;
  /** The clock, in milliseconds since 1970. */
  now: () => number;
}

const DEFAULT_MAX_BYTES = 10 * 1024 ** 3;

/**
 * Blobs in a folder that outlives jobs, each under its digest. Several jobs may use it at a time. Only its owner has
 * access (mode 0700). Blobs are hashed before use, and damaged ones are removed. If the disk fails, the blobs come from
 * their source.
 */
export class BlobCache implements ContentSource, AsyncDisposable {
  readonly path: string;
  readonly #maxBytes: number;
  readonly #now: () => number;

  private constructor(path: string, { maxBytes = DEFAULT_MAX_BYTES, now }: BlobCacheOptions) {
    this.path = path;
    this.#maxBytes = maxBytes;
    this.#now = now;
  }

  /**
   * Opens a cache. Makes its folder if there is none.
   * @throws {@link DrayageError} `IO`, `LINK`
   */
  static async open(path: string, options: BlobCacheOptions): Promise<BlobCache> {
    await onDisk(path, 'make the folder', () => mkdir(path, { recursive: true, mode: 0o700 }));
    await look(path, 'folder');
    await attempt(() => chmod(path, 0o700));
    return new BlobCache(path, options);
  }

  async has(descriptor: Descriptor, { signal }: ContentOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return hasBlob(this.#file(descriptor), descriptor);
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    const file = this.#file(descriptor);
    const seconds = this.#now() / 1000;
    await attempt(() => utimes(blobPath(file), seconds, seconds));
    return openBlob(file, descriptor, options);
  }

  /**
   * Checks a blob by hashing it, and removes a damaged one.
   * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `LINK`, `IO`
   */
  async verifyBlob(descriptor: Descriptor, options?: ContentOptions): Promise<void> {
    const file = this.#file(descriptor);
    try {
      await verifyBlobFile(file, descriptor, options);
    } catch (error) {
      if (isMismatch(error) || isDrayageError(error, 'LINK'))
        await attempt(() => rm(blobPath(file), { force: true }));
      throw error;
    }
  }

  /** The same source; blobs that are read from it to the end are kept here. */
  filledFrom(source: ContentSource): ContentSource {
    return {
      has: (descriptor, options) => source.has(descriptor, options),
      open: async (descriptor, options) => {
        const bytes = await source.open(descriptor, options);
        if ((options?.offset ?? 0) > 0 || descriptor.size > this.#maxBytes) return bytes;
        const kept = Readable.from(this.#keep(bytes, descriptor), { objectMode: false });
        // An unread stream never begins, and so would never close its source.
        kept.once('close', () => bytes.destroy());
        return kept;
      },
    };
  }

  /** Removes what exceeds the limit, and files of writers that are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await attempt(() => sweepCache(this.path, this.#maxBytes, this.#now()));
  }

  async *#keep(
    bytes: AsyncIterable<Uint8Array>,
    descriptor: Descriptor,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const partial = join(this.path, PARTIAL, randomBytes(8).toString('hex'));
    let handle = await this.#begin(partial);
    try {
      for await (const chunk of bytes) {
        if (handle !== undefined && !(await append(handle, chunk))) handle = await giveUp(handle);
        yield chunk;
      }
      // The source has checked every byte by now.
      if (handle !== undefined) await attempt(() => this.#publish(partial, descriptor));
    } finally {
      await giveUp(handle);
      await attempt(() => rm(partial, { force: true }));
    }
  }

  async #begin(partial: string): Promise<FileHandle | undefined> {
    try {
      await mkdir(join(this.path, PARTIAL), { recursive: true, mode: 0o700 });
      return await open(partial, 'wx', 0o600);
    } catch {
      return undefined;
    }
  }

  async #publish(partial: string, descriptor: Descriptor): Promise<void> {
    const file = this.#file(descriptor);
    const [blobs, algorithm] = file.names;
    await mkdir(join(this.path, blobs ?? '', algorithm ?? ''), { recursive: true, mode: 0o700 });
    await rename(partial, blobPath(file));
    const seconds = this.#now() / 1000;
    await utimes(blobPath(file), seconds, seconds);
  }

  #file({ digest }: Descriptor): BlobFile {
    return { root: this.path, names: blobNames(digest) };
  }
}

/** @returns whether the write succeeded */
async function append(handle: FileHandle, chunk: Uint8Array): Promise<boolean> {
  try {
    await handle.writeFile(chunk);
    return true;
  } catch {
    return false;
  }
}

async function giveUp(handle: FileHandle | undefined): Promise<undefined> {
  await attempt(async () => handle?.close());
}

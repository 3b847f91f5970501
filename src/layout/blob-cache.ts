import { derived } from '../stream/derived.ts';
import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Readable } from 'node:stream';
import type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
import { isRemote } from '../content/source.ts';
import { isDrayageError, isMismatch } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { inExisting, openBelow, removeBelow } from '../disk/below.ts';
import { ignoreErrors } from '../disk/io-error.ts';
import type { BlobFile } from './blob-file.ts';
import { blobNames, hasBlob, openBlob } from './blob-file.ts';
import { makeCacheFolder, makeOwn } from './cache-folder.ts';
import { PARTIAL, sweepCache } from './cache-sweep.ts';
import { verifyBlobFile } from './verify-blob.ts';

/** Options of {@link BlobCache.open}. */
export interface BlobCacheOptions {
  /** The maximum size in bytes; the least recently used blobs go first. Default 10 GiB. */
  maxBytes?: number | undefined;
  /**
   * The IDs of the users that the folder, and the one that it is in, may belong to. Whoever owns a folder decides what
   * is in it. Default: any.
   */
  owners?: readonly number[] | undefined;
  /**
   * Whether the cache ends with this run: then blobs that are read only once are not kept. Default false.
   */
  isTemporary?: boolean | undefined;
  /** The clock, in milliseconds since 1970. */
  now: () => number;
}

const DEFAULT_MAX_BYTES = 10 * 1024 ** 3;

/**
 * Blobs in a folder that outlives jobs, each under its digest. Several jobs may use it at a time. Only its owner has
 * access (mode 0700). Blobs are hashed before use, and damaged ones are removed. If the disk fails, the blobs come from
 * their source.
 * @example
 * ```ts
 * import { BlobCache, load, localFirst, overlay } from 'drayage';
 *
 * await using cache = await BlobCache.open(folder, { now: Date.now });
 * await load({ from: [overlay(layout, localFirst([cache], layout))], to: daemon });
 * ```
 */
export class BlobCache implements ContentSource, AsyncDisposable {
  readonly path: string;
  readonly #maxBytes: number;
  readonly #now: () => number;
  readonly #isTemporary: boolean;

  private constructor(path: string, options: BlobCacheOptions) {
    const { maxBytes = DEFAULT_MAX_BYTES, isTemporary = false, now } = options;
    this.path = path;
    this.#isTemporary = isTemporary;
    this.#maxBytes = maxBytes;
    this.#now = now;
  }

  /**
   * Opens a cache. Makes its folder if there is none. Neither it nor the folder that it is in may be a link.
   * @throws {@link DrayageError} `UNSAFE` if a folder belongs to another user than `owners`; `IO`, `LINK`
   */
  static async open(path: string, options: BlobCacheOptions): Promise<BlobCache> {
    await makeCacheFolder(dirname(path), basename(path), options.owners);
    return new BlobCache(path, options);
  }

  async has(descriptor: Descriptor, { signal }: ContentOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return hasBlob(this.#file(descriptor), descriptor);
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    const file = this.#file(descriptor);
    const seconds = this.#now() / 1000;
    await ignoreErrors(() => setTimes(file, seconds));
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
        await ignoreErrors(() => removeBelow(file.root, file.names));
      throw error;
    }
  }

  /** The same source; blobs that are read from it to the end are kept here. */
  filledFrom(source: ContentSource): ContentSource {
    return {
      has: (descriptor, options) => source.has(descriptor, options),
      isRemote: (descriptor, options) => isRemote(source, descriptor, options),
      open: async (descriptor, options) => {
        const bytes = await source.open(descriptor, options);
        const isUnkept = options?.once === true && this.#isTemporary;
        if ((options?.offset ?? 0) > 0 || descriptor.size > this.#maxBytes || isUnkept) return bytes;
        return derived(bytes, this.#keep(bytes, descriptor));
      },
    };
  }

  /** Removes what exceeds the limit, and files of writers that are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await ignoreErrors(() => sweepCache(this.path, this.#maxBytes, this.#now()));
  }

  async *#keep(
    bytes: AsyncIterable<Uint8Array>,
    descriptor: Descriptor,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const name = randomBytes(8).toString('hex');
    let handle = await this.#begin(name);
    try {
      for await (const chunk of bytes) {
        if (handle !== undefined && !(await append(handle, chunk))) handle = await giveUp(handle);
        yield chunk;
      }
      // The source has checked every byte by now.
      if (handle !== undefined) await ignoreErrors(() => this.#publish(name, descriptor));
    } finally {
      await giveUp(handle);
      await ignoreErrors(() => removeBelow(this.path, [PARTIAL, name]));
    }
  }

  async #begin(name: string): Promise<FileHandle | undefined> {
    try {
      return await inExisting(this.path, [], async (cache) => {
        await using partial = await makeOwn(cache, PARTIAL);
        return await partial.create(name, 0o600);
      });
    } catch {
      return undefined;
    }
  }

  async #publish(name: string, descriptor: Descriptor): Promise<void> {
    const [blobs = '', algorithm = '', hex = ''] = blobNames(descriptor.digest);
    await inExisting(this.path, [], async (cache) => {
      await using outer = await makeOwn(cache, blobs);
      await using target = await makeOwn(outer, algorithm);
      await using partial = await makeOwn(cache, PARTIAL);
      await partial.move(name, target, hex);
    });
    await setTimes(this.#file(descriptor), this.#now() / 1000);
  }

  #file({ digest }: Descriptor): BlobFile {
    return { root: this.path, names: blobNames(digest) };
  }
}

/** Sets the times of a file, to seconds since 1970. */
async function setTimes({ root, names }: BlobFile, seconds: number): Promise<void> {
  const handle = await openBelow(root, names);
  try {
    await handle?.utimes(seconds, seconds);
  } finally {
    await handle?.close();
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
  await ignoreErrors(async () => handle?.close());
}

import type { Readable } from 'node:stream';
import type { ListOptions, ResolvedImages, StoredImage } from '../content/image-index.ts';
import type { BlobWriter, ContentSink } from '../content/sink.ts';
import type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
import type { ImageStore, StoreTransaction } from '../content/store.ts';
import { DrayageError, isAbsentOrDamaged } from '../errors.ts';
import { incomplete, reach } from '../image/reach.ts';
import type { IndexChange } from '../listing/changes.ts';
import { addition, changeEntries, removal } from '../listing/changes.ts';
import { Listing } from '../listing/listing.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { LayoutIndex } from '../oci/image-index.ts';
import { EMPTY_INDEX, formatLayoutIndex, parseLayoutIndex } from '../oci/image-index.ts';
import { drain } from '../stream/drain.ts';
import { MemoryContent } from './memory-content.ts';

/** The index of an {@link ObjectStore} as it was read. */
export interface StoredIndex {
  /** An index.json (OCI image-spec, image-layout.md). */
  bytes: Uint8Array;
  /** Differs after each change, such as an ETag. */
  version: string;
}

/** The objects of an {@link ObjectStore}: blobs by their digests, and an index that changes as a whole. */
export interface Objects extends ContentSource, Pick<ContentSink, 'put'> {
  /** Names the store to people and in results. */
  readonly location: string;
  /** The index; undefined if there is none yet. */
  readIndex(options?: ContentOptions): Promise<StoredIndex | undefined>;
  /**
   * Replaces the index if its version is still this one; undefined: if there is none yet.
   * @returns false if somebody else changed it meanwhile
   */
  swapIndex(bytes: Uint8Array, version: string | undefined, options?: ContentOptions): Promise<boolean>;
}

/**
 * A store over objects, such as those of an HTTP server: an update keeps in memory what it writes, puts the blobs of the added
 * images, and then swaps the index if nobody else swapped it meanwhile. Blobs of an update that failed in between stay
 * among the objects.
 *
 * An update reads each stored blob that it puts or that an added image needs, once and whole, to prove that it is intact:
 * to save an image again that is stored costs its download.
 * @example
 * ```ts
 * import { buffer } from 'node:stream/consumers';
 * import { copy, MemoryContent, ObjectStore } from 'drayage';
 *
 * const blobs = new MemoryContent();
 * let index: { bytes: Uint8Array; version: string } | undefined;
 * const store = new ObjectStore({
 *   location: 'my objects',
 *   has: (blob) => blobs.has(blob),
 *   open: (blob, options) => blobs.open(blob, options),
 *   put: async ({ digest }, bytes) => void blobs.blobs.set(digest, await buffer(bytes)),
 *   readIndex: async () => index,
 *   swapIndex: async (bytes, version) => {
 *     if (index?.version !== version) return false;
 *     index = { bytes, version: `${Number(version ?? 0) + 1}` };
 *     return true;
 *   },
 * });
 * await copy({ from: layout, to: store });
 * ```
 */
export class ObjectStore implements ImageStore {
  readonly #objects: Objects;
  readonly #listing: Listing;
  #last: { version: string; index: LayoutIndex } | undefined;

  constructor(objects: Objects) {
    this.#objects = objects;
    const index = async (options: ContentOptions) => (await this.#read(options)).index;
    this.#listing = new Listing({ content: objects, index, place: objects.location });
  }

  /** Names the store to people and in results. */
  get location(): string {
    return this.#objects.location;
  }

  /** Whether there is a blob of this digest and size. */
  has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    return this.#objects.has(descriptor, options);
  }

  open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    return this.#objects.open(descriptor, options);
  }

  images(options?: ListOptions): Promise<StoredImage[]> {
    return this.#listing.images(options);
  }

  resolve(reference: string, options?: ListOptions): Promise<ResolvedImages> {
    return this.#listing.resolve(reference, options);
  }

  referrers(descriptor: Descriptor, options?: ContentOptions): Promise<Descriptor[]> {
    return this.#listing.referrers(descriptor, options);
  }

  /** The digests of all content that has referrers here. */
  subjects(options?: ContentOptions): Promise<ReadonlySet<Digest>> {
    return this.#listing.subjects(options);
  }

  /**
   * Changes the store entirely or not at all; see {@link ImageStore}.
   * @throws {@link DrayageError} `INCOMPLETE` if an added image lacks content; `NOT_FOUND` for a removal of something
   * absent; `LOCKED` if another update ended meanwhile; errors of `work` and of the objects
   */
  async update<T>(
    work: (transaction: StoreTransaction) => Promise<T>,
    options: ContentOptions = {},
  ): Promise<T> {
    const { signal } = options;
    signal?.throwIfAborted();
    const { index, version } = await this.#read(options);
    const transaction = new ObjectTransaction(this.#objects, signal);
    const result = await work(transaction).finally(() => (transaction.isOver = true));
    signal?.throwIfAborted();
    const kept = await transaction.kept();
    const manifests = changeEntries(index.manifests, transaction.changes, this.location);
    for (const [descriptor, bytes] of kept) await this.#objects.put(descriptor, oneChunk(bytes), options);
    const text = formatLayoutIndex({ ...index, manifests });
    if (!(await this.#objects.swapIndex(Buffer.from(text), version, options)))
      throw new DrayageError('LOCKED', 'another update changed the store meanwhile');
    return result;
  }

  async #read(options?: ContentOptions): Promise<{ version?: string; index: LayoutIndex }> {
    const stored = await this.#objects.readIndex(options);
    if (stored === undefined) return { index: EMPTY_INDEX };
    const { bytes, version } = stored;
    if (this.#last?.version !== version)
      this.#last = { version, index: parseLayoutIndex(bytes, `the index of ${this.location}`) };
    return this.#last;
  }
}

class ObjectTransaction implements StoreTransaction {
  isOver = false;
  readonly changes: IndexChange[] = [];
  readonly #written = new MemoryContent();
  /** The sizes of the blobs that were read whole in this update, and so proven to be intact. */
  readonly #intact = new Map<Digest, number>();
  readonly #stored: ContentSource;
  readonly #signal: AbortSignal | undefined;

  constructor(stored: ContentSource, signal: AbortSignal | undefined) {
    this.#stored = stored;
    this.#signal = signal;
  }

  async has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    this.#assertUsable();
    return this.#has(descriptor, options);
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    this.#assertUsable();
    return this.#open(descriptor, options);
  }

  async put(
    descriptor: Descriptor,
    bytes: AsyncIterable<Uint8Array>,
    options?: ContentOptions,
  ): Promise<void> {
    this.#assertUsable();
    try {
      await this.#assertIntact(descriptor, options);
    } catch (error) {
      if (!isAbsentOrDamaged(error)) throw error;
      await this.#written.put(descriptor, bytes, options);
    }
  }

  async begin(options?: ContentOptions): Promise<BlobWriter> {
    this.#assertUsable();
    return this.#written.begin({ signal: this.#signal, ...options });
  }

  add(root: Descriptor, names: readonly string[], annotations: Record<string, string>): void {
    this.#assertUsable();
    this.changes.push(addition(root, names, annotations));
  }

  drop(digest: Digest): void {
    this.#assertUsable();
    this.#written.blobs.delete(digest);
    this.#intact.delete(digest);
  }

  remove(nameOrDigest: string): void {
    this.#assertUsable();
    this.changes.push(removal(nameOrDigest));
  }

  /** What the added images need of what was written; all that they need is read, and so proven to be intact. */
  async kept(): Promise<Iterable<[Descriptor, Uint8Array]>> {
    const kept = new Map<Digest, [Descriptor, Uint8Array]>();
    for (const change of this.changes) {
      const needed = change.kind === 'add' ? await this.#needed(change.root, change.annotations) : [];
      for (const blob of needed) {
        const bytes = this.#written.blobs.get(blob.digest);
        if (bytes !== undefined) kept.set(blob.digest, [blob, bytes]);
      }
    }
    return kept.values();
  }

  async #needed(root: Descriptor, annotations: Record<string, string>): Promise<Descriptor[]> {
    const source = { has: this.#has, open: this.#open };
    const needed = await reach(source, root, annotations, { signal: this.#signal });
    try {
      for (const blob of needed) await this.#assertIntact(blob, { signal: this.#signal });
    } catch (error) {
      throw isAbsentOrDamaged(error) ? incomplete(root, error) : error;
    }
    return needed;
  }

  /** Reads a blob whole, unless this update has done that. */
  async #assertIntact(blob: Descriptor, options?: ContentOptions): Promise<void> {
    if (this.#intact.get(blob.digest) === blob.size) return;
    await drain(await this.#open(blob, options));
    this.#intact.set(blob.digest, blob.size);
  }

  readonly #has = async (descriptor: Descriptor, options?: ContentOptions): Promise<boolean> =>
    (await this.#written.has(descriptor, options)) || this.#stored.has(descriptor, options);

  readonly #open = async (descriptor: Descriptor, options?: OpenOptions): Promise<Readable> => {
    const place = this.#written.blobs.has(descriptor.digest) ? this.#written : this.#stored;
    return place.open(descriptor, options);
  };

  #assertUsable(): void {
    this.#signal?.throwIfAborted();
    if (this.isOver) throw new DrayageError('USAGE', 'the update is over');
  }
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

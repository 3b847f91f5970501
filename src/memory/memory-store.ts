import type { Readable } from 'node:stream';
import type { ListOptions, ResolvedImages, StoredImage } from '../content/image-index.ts';
import type { BlobWriter } from '../content/sink.ts';
import type { ContentOptions, OpenOptions } from '../content/source.ts';
import type { ImageStore, StoreTransaction } from '../content/store.ts';
import { DrayageError, isAbsentOrDamaged } from '../errors.ts';
import { incomplete, reach } from '../image/reach.ts';
import type { IndexChange } from '../listing/changes.ts';
import { addition, changeEntries, removal } from '../listing/changes.ts';
import { Listing } from '../listing/listing.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { drain } from '../stream/drain.ts';
import { MemoryContent } from './memory-content.ts';

/**
 * A store in memory: blobs by their digests, and an index that is swapped if nobody else swapped it meanwhile. Everything
 * that it holds takes up memory until the store is dropped.
 */
export class MemoryStore implements ImageStore {
  readonly location = 'memory';
  readonly #content: MemoryContent;
  readonly #listing: Listing;
  #entries: readonly Descriptor[] = [];

  /** @param content where the blobs are kept. Default: a place of its own */
  constructor(content: MemoryContent = new MemoryContent()) {
    this.#content = content;
    const index = async () => ({ manifests: [...this.#entries], unread: [] });
    this.#listing = new Listing({ content, index, place: this.location });
  }

  /** Whether there is a blob of this digest and size. */
  has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    return this.#content.has(descriptor, options);
  }

  open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    return this.#content.open(descriptor, options);
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

  /**
   * Changes the store entirely or not at all; see {@link ImageStore}.
   * @throws {@link DrayageError} `INCOMPLETE` if an added image lacks content; `NOT_FOUND` for a removal of something
   * absent; `LOCKED` if another update ended meanwhile; errors of `work`
   */
  async update<T>(
    work: (transaction: StoreTransaction) => Promise<T>,
    { signal }: ContentOptions = {},
  ): Promise<T> {
    signal?.throwIfAborted();
    const before = this.#entries;
    const transaction = new MemoryTransaction(this.#content, signal);
    const result = await work(transaction).finally(() => (transaction.isOver = true));
    signal?.throwIfAborted();
    const kept = await transaction.kept();
    const after = changeEntries(before, transaction.changes, this.location);
    if (this.#entries !== before)
      throw new DrayageError('LOCKED', 'another update changed the store meanwhile');
    this.#entries = after;
    for (const [digest, bytes] of kept) this.#content.blobs.set(digest, bytes);
    return result;
  }
}

class MemoryTransaction implements StoreTransaction {
  isOver = false;
  readonly changes: IndexChange[] = [];
  readonly #written = new MemoryContent();
  readonly #stored: MemoryContent;
  readonly #signal: AbortSignal | undefined;

  constructor(stored: MemoryContent, signal: AbortSignal | undefined) {
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
      await drain(await this.#open(descriptor, options));
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
  }

  remove(nameOrDigest: string): void {
    this.#assertUsable();
    this.changes.push(removal(nameOrDigest));
  }

  /** What the added images need of what was written; all that they need is read, and so proven to be intact. */
  async kept(): Promise<Map<Digest, Uint8Array>> {
    const kept = new Map<Digest, Uint8Array>();
    for (const change of this.changes) {
      const needed = change.kind === 'add' ? await this.#needed(change.root, change.annotations) : [];
      for (const blob of needed) {
        const bytes = this.#written.blobs.get(blob.digest);
        if (bytes !== undefined) kept.set(blob.digest, bytes);
      }
    }
    return kept;
  }

  async #needed(root: Descriptor, annotations: Record<string, string>): Promise<Descriptor[]> {
    const source = { has: this.#has, open: this.#open };
    const needed = await reach(source, root, annotations, { signal: this.#signal });
    try {
      for (const blob of needed) await drain(await this.#open(blob, { signal: this.#signal }));
    } catch (error) {
      throw isAbsentOrDamaged(error) ? incomplete(root, error) : error;
    }
    return needed;
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

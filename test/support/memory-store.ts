import type { Readable } from 'node:stream';
import type { ListOptions, ResolvedImages, StoredImage } from '../../src/content/image-index.ts';
import type { BlobWriter } from '../../src/content/sink.ts';
import type { ContentOptions, OpenOptions } from '../../src/content/source.ts';
import type { ImageStore, StoreTransaction } from '../../src/content/store.ts';
import { DrayageError, isAbsentOrDamaged } from '../../src/errors.ts';
import { contentsOf } from '../../src/image/contents.ts';
import { addImage, listImages, removeImage } from '../../src/listing/entries.ts';
import { Listing } from '../../src/listing/listing.ts';
import { notFound } from '../../src/listing/lookup.ts';
import { nameAnnotations } from '../../src/listing/names.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { isDigest } from '../../src/oci/digest.ts';
import { drain } from '../../src/stream/drain.ts';
import { MemoryContent } from './memory-content.ts';

type Change = (entries: readonly Descriptor[]) => Descriptor[];

/** A store in memory, as an object store would be: blobs by their digests, and an index that is swapped if nobody else did. */
export class MemoryStore implements ImageStore {
  readonly location = 'memory';
  /** What is stored. A test may damage it. */
  readonly content: MemoryContent = new MemoryContent();
  readonly #listing: Listing;
  #entries: readonly Descriptor[] = [];

  constructor() {
    const index = async () => ({ manifests: [...this.#entries], unread: [] });
    this.#listing = new Listing({ content: this.content, index, place: this.location });
  }

  has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    return this.content.has(descriptor, options);
  }

  open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    return this.content.open(descriptor, options);
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

  async update<T>(
    work: (transaction: StoreTransaction) => Promise<T>,
    { signal }: ContentOptions = {},
  ): Promise<T> {
    signal?.throwIfAborted();
    const before = this.#entries;
    const transaction = new MemoryTransaction(this.content, signal);
    const result = await work(transaction).finally(() => (transaction.isOver = true));
    signal?.throwIfAborted();
    const { added, changes, written } = transaction;
    for (const root of added) {
      for (const { digest } of await neededBy(root, { has: transaction.hasAny, open: transaction.openAny })) {
        const bytes = written.blobs.get(digest);
        if (bytes !== undefined) this.content.blobs.set(digest, bytes);
      }
    }
    const after = changes.reduce<readonly Descriptor[]>((entries, change) => change(entries), before);
    if (this.#entries !== before) throw new DrayageError('LOCKED', 'another one changed the index meanwhile');
    this.#entries = after;
    return result;
  }
}

class MemoryTransaction implements StoreTransaction {
  readonly written = new MemoryContent();
  readonly changes: Change[] = [];
  readonly added: Descriptor[] = [];
  isOver = false;
  readonly #stored: MemoryContent;
  readonly #signal: AbortSignal | undefined;

  constructor(stored: MemoryContent, signal: AbortSignal | undefined) {
    this.#stored = stored;
    this.#signal = signal;
  }

  async has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    this.#assertUsable();
    return this.hasAny(descriptor, options);
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    this.#assertUsable();
    return this.openAny(descriptor, options);
  }

  async put(
    descriptor: Descriptor,
    bytes: AsyncIterable<Uint8Array>,
    options?: ContentOptions,
  ): Promise<void> {
    this.#assertUsable();
    try {
      await drain(await this.openAny(descriptor, options));
    } catch (error) {
      if (!isAbsentOrDamaged(error)) throw error;
      await this.written.put(descriptor, bytes, options);
    }
  }

  async begin(options?: ContentOptions): Promise<BlobWriter> {
    this.#assertUsable();
    return this.written.begin({ signal: this.#signal, ...options });
  }

  add(root: Descriptor, names: readonly string[], annotations: Record<string, string>): void {
    this.#assertUsable();
    names.forEach(nameAnnotations);
    this.added.push({ ...root, annotations: { ...root.annotations, ...annotations } });
    this.changes.push((entries) => addImage(entries, root, names, annotations));
  }

  remove(nameOrDigest: string): void {
    this.#assertUsable();
    const target = isDigest(nameOrDigest) ? { digest: nameOrDigest } : { name: nameOrDigest };
    this.changes.push((entries) => {
      const left = removeImage(entries, target);
      if (left.length < entries.length) return left;
      throw notFound(nameOrDigest, listImages(entries), 'memory');
    });
  }

  readonly hasAny = async (descriptor: Descriptor, options?: ContentOptions): Promise<boolean> =>
    (await this.written.has(descriptor, options)) || this.#stored.has(descriptor, options);

  readonly openAny = async (descriptor: Descriptor, options?: OpenOptions): Promise<Readable> => {
    const place = this.written.blobs.has(descriptor.digest) ? this.written : this.#stored;
    return place.open(descriptor, options);
  };

  #assertUsable(): void {
    this.#signal?.throwIfAborted();
    if (this.isOver) throw new DrayageError('USAGE', 'the update is over');
  }
}

/** All that an image needs, each blob read. */
async function neededBy(
  root: Descriptor,
  source: Pick<MemoryContent, 'has' | 'open'>,
): Promise<Descriptor[]> {
  try {
    const { documents, blobs } = await contentsOf(source, root, { annotations: root.annotations });
    for (const blob of blobs) await drain(await source.open(blob));
    return [...documents.map(({ descriptor }) => descriptor), ...blobs];
  } catch (error) {
    if (!isAbsentOrDamaged(error)) throw error;
    throw new DrayageError('INCOMPLETE', `image ${root.digest} is incomplete`, {
      ...error.facts,
      cause: error,
    });
  }
}

import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import type { ContentOptions, OpenOptions } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { MemoryContent } from './memory-content.ts';
import type { Objects, StoredIndex } from './object-store.ts';
import { ObjectStore } from './object-store.ts';

/**
 * A store in memory. Everything that it holds takes up memory until the store is dropped.
 * @example
 * ```ts
 * import { copy, MemoryStore } from 'drayage';
 *
 * const store = new MemoryStore();
 * await copy({ from: layout, images: ['app:1'], to: store });
 * const [{ root }] = await store.resolve('app:1');
 * ```
 */
export class MemoryStore extends ObjectStore {
  /** @param content where the blobs are kept. Default: a place of its own */
  constructor(content: MemoryContent = new MemoryContent()) {
    super(new MemoryObjects(content));
  }
}

class MemoryObjects implements Objects {
  readonly location = 'memory';
  readonly #content: MemoryContent;
  #index: StoredIndex | undefined;

  constructor(content: MemoryContent) {
    this.#content = content;
  }

  has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    return this.#content.has(descriptor, options);
  }

  open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    return this.#content.open(descriptor, options);
  }

  /** The store has proven these bytes: they are not hashed once more. */
  async put({ digest }: Descriptor, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    this.#content.blobs.set(digest, await buffer(bytes));
  }

  async readIndex(): Promise<StoredIndex | undefined> {
    return this.#index;
  }

  async swapIndex(bytes: Uint8Array, version: string | undefined): Promise<boolean> {
    if (this.#index?.version !== version) return false;
    this.#index = { bytes, version: String(Number(version ?? 0) + 1) };
    return true;
  }
}

import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { ContentSink } from './sink.ts';
import type { ContentOptions, ContentSource } from './source.ts';
import type { ImageIndex } from './image-index.ts';

/** A change of a store that is being prepared. Reads see the stored content and what was written so far. */
export interface StoreTransaction extends ContentSource, ContentSink {
  /**
   * Adds an image. Everything below it must be written or stored when the update ends.
   * @param names in any spelling; each moves here from the image that has it for the same platform. Without names, the
   * image is found by its digest
   * @param annotations of its entries in the index
   * @throws {@link DrayageError} `USAGE` for an invalid name
   */
  add(root: Descriptor, names: readonly string[], annotations: Record<string, string>): void;
  /**
   * Forgets a blob that was written and must not be kept. Stored blobs stay. A transaction without this may keep more than
   * is needed.
   */
  drop?(digest: Digest): void;
  /** Removes a name, or a root by its digest. Its blobs stay. The update fails with `NOT_FOUND` if there is none. */
  remove(nameOrDigest: string): void;
}

/**
 * A store that images are saved, fetched and merged into: a layout on disk, or anything else with blobs and an index of
 * images.
 */
export interface ImageStore extends ContentSource, ImageIndex {
  /** Names the store to people and in results: the folder of a layout. */
  readonly location: string;
  /**
   * Changes the store entirely or not at all. Of what `work` writes, the content of the images that it added is kept.
   * After a failure, the store is as it was before.
   * @returns the result of `work`
   * @throws {@link DrayageError} `INCOMPLETE` if an added image lacks content; `NOT_FOUND` for a removal of something
   * absent; `LOCKED` if somebody else changes the store meanwhile; errors of `work`
   */
  update<T>(work: (transaction: StoreTransaction) => Promise<T>, options?: ContentOptions): Promise<T>;
  /**
   * Removes those of these blobs that nothing in the index leads to. A store without this may keep more than is needed.
   * @throws {@link DrayageError} `LOCKED` if somebody else changes the store meanwhile
   */
  discard?(digests: ReadonlySet<Digest>, options?: ContentOptions): Promise<void>;
}

import type { Descriptor } from '../oci/descriptor.ts';
import type { ContentSink } from './sink.ts';
import type { ContentOptions, ContentSource } from './source.ts';
import type { ImageIndex } from './image-index.ts';

/** A change of a store that is being prepared. Reads see what is stored, and what was written so far. */
export interface StoreTransaction extends ContentSource, ContentSink {
  /**
   * Adds an image. All that it reaches has to be written or stored when the update ends.
   * @param names any way to write them; each moves here from the image that has it for the same platform. None: the image
   * is found by its digest
   * @param annotations of its entries in the index
   * @throws {@link DrayageError} `USAGE` for what is no name
   */
  add(root: Descriptor, names: readonly string[], annotations: Record<string, string>): void;
  /** Removes a name, or a root by its digest. Its blobs stay. The update fails with `NOT_FOUND` where there is none. */
  remove(nameOrDigest: string): void;
}

/** What images are saved, fetched and merged into: a layout on disk, or whatever else keeps blobs and an index of images. */
export interface ImageStore extends ContentSource, ImageIndex {
  /** Names the store to people and in results: the folder of a layout. */
  readonly location: string;
  /**
   * Changes the store: all of it or nothing. What `work` writes is kept when it is done, as far as the images that it added
   * reach it. Where anything fails, the store is as it was before.
   * @returns what `work` returns
   * @throws {@link DrayageError} `INCOMPLETE` where an added image lacks content, `NOT_FOUND` for a removal of what is not
   * there, `LOCKED` where another one changes the store meanwhile; and what `work` throws
   */
  update<T>(work: (transaction: StoreTransaction) => Promise<T>, options?: ContentOptions): Promise<T>;
}

/**
 * Layouts on disk: images in a folder, and the cache of blobs beside it.
 * @module drayage/layout
 */
import '../disposal.ts';
export type { ErrorCode, ErrorFacts } from '../errors.ts';
export { DrayageError, isDrayageError } from '../errors.ts';
export {
  Layout,
  type OpenLayoutOptions,
  type PruneLayoutOptions,
  type UpdateOptions,
} from '../layout/layout.ts';
export { MemoryContent } from '../memory/memory-content.ts';
export { MemoryStore } from '../memory/memory-store.ts';
export type { Objects, StoredIndex } from '../memory/object-store.ts';
export { ObjectStore } from '../memory/object-store.ts';
export type { SweptBlobs } from '../layout/sweep.ts';
export type { ResolvedImages } from '../content/image-index.ts';
export { OMITTED_LAYERS } from '../image/annotations.ts';
export type { ImageStore, StoreTransaction } from '../content/store.ts';

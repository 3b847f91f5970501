import { Readable } from 'node:stream';
import type { Document } from '../oci/manifest.ts';
import type { ImageIndex, ImagePlace } from './image-index.ts';
import type { ContentSource } from './source.ts';
import { isRemote } from './source.ts';

/** A place that reads its content from one source and finds its images in an index. */
export function placeOf(content: ContentSource, index: ImageIndex): ImagePlace {
  return {
    has: (descriptor, options) => content.has(descriptor, options),
    open: (descriptor, options) => content.open(descriptor, options),
    isRemote: (descriptor, options) => isRemote(content, descriptor, options),
    position: (descriptor) => content.position?.(descriptor),
    digests: async () => content.digests?.(),
    images: (options) => index.images(options),
    resolve: (reference, options) => index.resolve(reference, options),
    referrers: (descriptor, options) => index.referrers(descriptor, options),
    subjects: async (options) => index.subjects?.(options),
  };
}

/** The same place with some operations replaced; all others are those of `place`. */
export function overlay(place: ImagePlace, replaced: Partial<ImagePlace>): ImagePlace {
  // Other referrers may have other subjects.
  const unknown = replaced.referrers !== undefined && { subjects: async () => undefined };
  return { ...placeOf(place, place), ...unknown, ...replaced };
}

/** The same content and further documents. */
export function withDocuments(source: ContentSource, documents: readonly Document[]): ContentSource {
  const added = new Map(documents.map((document) => [document.descriptor.digest, document]));
  return {
    has: async (wanted, options) =>
      added.get(wanted.digest)?.descriptor.size === wanted.size || source.has(wanted, options),
    open: async (wanted, options) => {
      const bytes = added.get(wanted.digest)?.bytes.subarray(options?.offset ?? 0);
      return bytes === undefined
        ? source.open(wanted, options)
        : Readable.from([bytes], { objectMode: false });
    },
    isRemote: async (wanted, options) => !added.has(wanted.digest) && isRemote(source, wanted, options),
    position: (wanted) => source.position?.(wanted),
  };
}

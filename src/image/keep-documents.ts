import { Readable } from 'node:stream';
import type { ContentSource, OpenOptions } from '../content/source.ts';
import { isRemote } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isConfigType, isDocumentType } from '../oci/media-types.ts';
import { MAX_DOCUMENT_SIZE } from '../oci/parse.ts';
import { readDocument } from '../stream/document.ts';

/** Content of any type counts as a document up to this size, in bytes: signatures and statements are read several times, too. */
const SMALL = 64 * 1024;

/**
 * A source that keeps the documents that were read from it: several walks over an image read each document once. They are
 * checked when they are read, which is when they are opened.
 * @param maxBytes how much is kept at most; what came first goes first. Default 16 MiB.
 */
export function keepDocuments(source: ContentSource, maxBytes: number = 16 * 1024 * 1024): ContentSource {
  const kept = new Map<Digest, Buffer>();
  let bytes = 0;
  const find = ({ digest, size }: Descriptor): Buffer | undefined => {
    const found = kept.get(digest);
    return found?.length === size ? found : undefined;
  };
  const read = async (descriptor: Descriptor, options: OpenOptions): Promise<Buffer> => {
    const document = await readDocument(await source.open(descriptor, options), descriptor);
    if (kept.has(descriptor.digest) || document.length > maxBytes) return document;
    kept.set(descriptor.digest, document);
    bytes += document.length;
    for (const [digest, { length }] of kept) {
      if (bytes <= maxBytes) break;
      kept.delete(digest);
      bytes -= length;
    }
    return document;
  };
  return {
    has: async (descriptor, options) => find(descriptor) !== undefined || source.has(descriptor, options),
    isRemote: async (descriptor, options) =>
      find(descriptor) === undefined && isRemote(source, descriptor, options),
    position: (descriptor) => source.position?.(descriptor),
    open: async (descriptor, options = {}) => {
      const { offset = 0, signal, once } = options;
      signal?.throwIfAborted();
      const found = find(descriptor);
      const isWanted = found !== undefined || (offset === 0 && isDocument(descriptor));
      if (!isWanted || offset < 0 || offset > descriptor.size) return source.open(descriptor, options);
      const document = found ?? (await read(descriptor, { signal, once }));
      const rest = document.subarray(offset);
      return Readable.from(rest.length > 0 ? [rest] : [], { objectMode: false });
    },
  };
}

function isDocument({ mediaType, size }: Descriptor): boolean {
  const isNamedSo = isDocumentType(mediaType) || isConfigType(mediaType);
  return size <= (isNamedSo ? MAX_DOCUMENT_SIZE : SMALL);
}

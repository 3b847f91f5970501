import type { ContentSource } from '../../content/source.ts';
import type { Digest } from '../../oci/digest.ts';
import { derived } from '../../stream/derived.ts';
import { tap } from '../../stream/tap.ts';

/** The same content, which tells each piece as it is read: a blob may be large. */
export function reporting(
  content: ContentSource,
  onRead: (digest: Digest, bytes: number) => void,
): ContentSource {
  return {
    has: async (descriptor, options) => content.has(descriptor, options),
    open: async (descriptor, options) => {
      const bytes = await content.open(descriptor, options);
      return derived(
        bytes,
        tap(bytes, (chunk) => onRead(descriptor.digest, chunk.length)),
      );
    },
  };
}

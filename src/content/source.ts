import type { Readable } from 'node:stream';
import { DrayageError, isDrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';

/** What every operation on content takes. */
export interface ContentOptions {
  /** Ends the operation; it rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** Options of {@link ContentSource.open}. */
export interface OpenOptions extends ContentOptions {
  /** Skips this many bytes. Such a stream cannot be checked against its digest; the reader has to. Default 0. */
  offset?: number | undefined;
  /**
   * Spares the hashing where the source has hashed this content before and can tell that it has not changed since. The
   * promise of {@link ContentSource.open} stays the same. Default false.
   */
  trustUnchanged?: boolean | undefined;
  /**
   * Spares a source that would have to find out what the content holds once it is decompressed, since the reader holds it
   * against a diffID. Default false.
   */
  diffIdChecked?: boolean | undefined;
}

/** Where content is read from: a layout, a cache, an opened archive, a job artifact, a registry. */
export interface ContentSource {
  /** Whether there is content of this digest and size. Says nothing about whether its bytes are intact. */
  has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean>;
  /**
   * Opens content. The stream ends well only if it was the content that `descriptor` names, to the last byte: until then
   * nothing read from it may be relied on.
   * @throws {@link DrayageError} `NOT_FOUND`; from the stream: `DIGEST_MISMATCH`, `SIZE_MISMATCH`
   */
  open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable>;
}

/** A place that can check its content without giving it out: a layout, a cache. */
export interface VerifiableSource extends ContentSource {
  /** @throws {@link DrayageError} for a blob that is not there, or damaged */
  verifyBlob(descriptor: Descriptor, options?: ContentOptions): Promise<void>;
}

/** Reads from the first of several places that has the content. */
export function chainSources(sources: readonly ContentSource[]): ContentSource {
  const find = async (
    descriptor: Descriptor,
    options?: ContentOptions,
  ): Promise<ContentSource | undefined> => {
    for (const source of sources) if (await source.has(descriptor, options)) return source;
    return undefined;
  };
  return {
    has: async (descriptor, options) => (await find(descriptor, options)) !== undefined,
    open: async (descriptor, options) => {
      const source = (await find(descriptor, options)) ?? sources[0];
      if (source === undefined) throw new DrayageError('NOT_FOUND', `no place holds ${descriptor.digest}`);
      return source.open(descriptor, options);
    },
  };
}

/**
 * Whether a source lacks content. Damaged content is present: a source that does not have it as it should be is asked to open
 * it, and tells by its error.
 */
export async function isAbsent(
  source: ContentSource,
  descriptor: Descriptor,
  options: ContentOptions = {},
): Promise<boolean> {
  if (await source.has(descriptor, options)) return false;
  try {
    (await source.open(descriptor, options)).destroy();
    return false;
  } catch (error) {
    if (isDrayageError(error, 'NOT_FOUND')) return true;
    throw error;
  }
}

import type { Readable } from 'node:stream';
import { DrayageError, isDrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';

/** Options of every operation on content. */
export interface ContentOptions {
  /** Ends the operation, which then rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** Options of {@link ContentSource.open}. */
export interface OpenOptions extends ContentOptions {
  /** Skips this many bytes. Such a stream cannot be checked against its digest; the reader must do that. Default 0. */
  offset?: number | undefined;
  /**
   * Skips the hashing if the source hashed this content before and can tell that it has not changed since. Only for
   * readers that pass the content on to a receiver which checks it: on one machine, a change can escape the source.
   * Default false.
   */
  trustUnchanged?: boolean | undefined;
  /** The reader compares the decompressed content with a diffID, so the source need not. Default false. */
  diffIdChecked?: boolean | undefined;
  /** The reader reads this content only once, so nobody needs to keep it for the next time. Default false. */
  once?: boolean | undefined;
}

/** Where content is read from: a layout, a cache, an opened archive, a job artifact, a registry. */
export interface ContentSource {
  /** Whether there is content of this digest and size. Says nothing about whether its bytes are intact. */
  has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean>;
  /**
   * Opens content. The stream ends without an error only if it was the content that `descriptor` names, to the last
   * byte. Do not rely on what you read before that.
   * @throws {@link DrayageError} `NOT_FOUND`; from the stream: `DIGEST_MISMATCH`, `SIZE_MISMATCH`
   */
  open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable>;
  /**
   * Whether opening this content costs requests to a server each time, so that it should be read once, and with other
   * content at the same time. Default: it does not.
   */
  isRemote?(descriptor: Descriptor, options?: ContentOptions): Promise<boolean>;
  /**
   * Of content that passes in one order, as in an archive that is not kept: its place in that order. Read such content in
   * ascending order, one after the other, and each once. A source that wraps another one passes this on. Default: all content can be read in any order.
   */
  position?(descriptor: Descriptor): number | undefined;
}

/** A place that can check its content without giving it out: a layout, a cache. */
export interface VerifiableSource extends ContentSource {
  /** @throws {@link DrayageError} if the blob is absent or damaged */
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
      const source = (await find(descriptor, options)) ?? sources.at(-1);
      if (source === undefined) throw new DrayageError('NOT_FOUND', `no place holds ${descriptor.digest}`);
      return source.open(descriptor, options);
    },
    isRemote: async (descriptor, options) => isRemote(await find(descriptor, options), descriptor, options),
    position: (descriptor) =>
      sources.map((source) => source.position?.(descriptor)).find((position) => position !== undefined),
  };
}

/** Whether opening content of a source costs requests; see {@link ContentSource.isRemote}. */
export async function isRemote(
  source: ContentSource | undefined,
  descriptor: Descriptor,
  options?: ContentOptions,
): Promise<boolean> {
  return (await source?.isRemote?.(descriptor, options)) === true;
}

/** Whether a source lacks content. Damaged content is present: opening it reports the damage. */
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

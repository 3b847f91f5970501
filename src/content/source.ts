import type { Readable } from 'node:stream';
import { DrayageError, isDrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

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

/** Options of {@link ContentSource.hashBlob}. */
export interface HashBlobOptions extends ContentOptions {
  /** Hashes the first `size` bytes of a file, given as an open descriptor, on a thread. */
  digestFile: (file: number, size: number) => Promise<Digest>;
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
   * Of content in files: checks it as {@link open} does, without reading it on this thread.
   * @returns its first bytes, at least 10 if it has as many
   * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`
   */
  hashBlob?(descriptor: Descriptor, options: HashBlobOptions): Promise<Uint8Array>;
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
  /**
   * The digests of the content that is here, if the place can list them at the cost of a few looks. It only says where to look
   * first: content may come and go. Default: undefined, which says nothing.
   */
  digests?(): Promise<ReadonlySet<Digest> | undefined>;
}

/** A place that can check its content without giving it out: a layout, a cache. */
export interface VerifiableSource extends ContentSource {
  /** @throws {@link DrayageError} if the blob is absent or damaged */
  verifyBlob(descriptor: Descriptor, options?: ContentOptions): Promise<void>;
}

/**
 * Reads from the first of several places that has the content. What the places list is looked for there first. So the number
 * of looks grows with the content, not with content times places.
 */
export function chainSources(sources: readonly ContentSource[]): ContentSource {
  const [first, ...others] = sources;
  let ordered: ReturnType<typeof likeliestFirst> | undefined;
  const find = async (
    descriptor: Descriptor,
    options?: ContentOptions,
  ): Promise<ContentSource | undefined> => {
    if (first === undefined || (await first.has(descriptor, options))) return first;
    // Not before it is needed: most content is in the first place.
    ordered ??= likeliestFirst(others);
    for (const source of (await ordered)(descriptor.digest))
      if (await source.has(descriptor, options)) return source;
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

/** Orders places for a digest: those that list it or list nothing, as they come, then the others, which may have got it since. */
async function likeliestFirst(
  sources: readonly ContentSource[],
): Promise<(digest: Digest) => Iterable<ContentSource>> {
  // A place that fails to list its content says why when it is asked for some.
  const lists = await Promise.all(sources.map(async (source) => source.digests?.().catch(() => undefined)));
  const holders = new Map<Digest, Set<number>>();
  const unlisted = new Set<number>();
  for (const [i, digests] of lists.entries()) {
    if (digests === undefined) unlisted.add(i);
    for (const digest of digests ?? []) holders.set(digest, (holders.get(digest) ?? new Set()).add(i));
  }
  return function* (digest) {
    const likely = new Set([...(holders.get(digest) ?? []), ...unlisted]);
    yield* sources.filter((_, i) => likely.has(i));
    yield* sources.filter((_, i) => !likely.has(i));
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

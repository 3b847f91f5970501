import pLimit from 'p-limit';
import type { ImageIndex } from '../content/image-index.ts';
import type { ContentSink } from '../content/sink.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { ImageContents } from './contents.ts';
import { contentsOf } from './contents.ts';
import { referrersOf } from './referrers.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Document } from '../oci/manifest.ts';
import type { LayerStatus } from '../progress.ts';
import { once, tap } from '../stream/tap.ts';
import type { Limit } from '../stream/together.ts';
import { together } from '../stream/together.ts';

/** How a blob came to be where it is copied to: its bytes were read, another repository shared it, or it was there already. */
export type CopiedBy = 'written' | 'mounted' | 'reused';

/** The same as progress reports it. */
export function layerStatus(by: CopiedBy): LayerStatus {
  return by === 'written' ? 'written' : 'reused';
}

/** Where images are copied to. */
export interface Receiver {
  /** Takes a blob in. Success means that it is stored and verified, by whomever. */
  takeBlob(blob: Descriptor, options: ContentOptions): Promise<CopiedBy>;
  /** Takes a document in, after everything that it names. */
  takeDocument(document: Document, options: ContentOptions): Promise<void>;
}

/** Options of a copy. */
export interface CopyContentsOptions extends ContentOptions {
  /** Blobs that the receiver has got already in this run: they are skipped, and those that it gets now are added. */
  done?: Set<Digest> | undefined;
  /** How many blobs are copied at a time. Default 4. */
  concurrency?: number | undefined;
  /** Bounds that for several copies together. Default: each has its own bound. */
  limit?: Limit | undefined;
  /** Hears of each blob that the receiver has now. It is awaited; its failure ends the copy. */
  onBlob?: ((blob: Descriptor, by: CopiedBy) => void | Promise<void>) | undefined;
}

/**
 * Copies what a root leads to, byte for byte: blobs first, several at a time, each once; then documents, each after those that
 * it names. The first failure ends the blobs that are on their way.
 * @throws {@link DrayageError} whatever the receiver says, such as `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`
 */
export async function copyContents(
  { blobs, documents }: Pick<ImageContents, 'blobs' | 'documents'>,
  receiver: Receiver,
  {
    done = new Set(),
    concurrency = 4,
    limit = pLimit(concurrency),
    onBlob,
    signal,
  }: CopyContentsOptions = {},
): Promise<void> {
  const missing = new Map(blobs.map((blob) => [blob.digest, blob]));
  for (const digest of done) missing.delete(digest);
  const copy = async (blob: Descriptor, either: AbortSignal): Promise<void> => {
    const by = await receiver.takeBlob(blob, { signal: either });
    done.add(blob.digest);
    await onBlob?.(blob, by);
  };
  await together([...missing.values()], signal, copy, limit);
  for (const document of documents) await receiver.takeDocument(document, { signal });
}

/**
 * Copies an image, and what refers to it or to a part of it.
 * @param source holds what refers to the image
 * @param index knows what does
 * @returns the referrers
 * @throws {@link DrayageError} as {@link copyContents} and {@link referrersOf}
 */
export async function copyAttached(
  contents: ImageContents,
  source: ContentSource,
  index: Pick<ImageIndex, 'referrers'>,
  receiver: Receiver,
  options: CopyContentsOptions,
): Promise<Descriptor[]> {
  const referrers = await referrersOf(source, index, contents, options);
  for (const one of [contents, ...referrers.map((referrer) => referrer.contents)])
    await copyContents(one, receiver, options);
  return referrers.map(({ descriptor }) => descriptor);
}

/** Options of {@link copyImage}. */
export interface CopyImageOptions extends Omit<CopyContentsOptions, 'limit'> {
  /** Annotations of the image's entry in its index, which state the number of omitted layers. Default: none are omitted. */
  annotations?: Readonly<Record<string, string>> | undefined;
}

/**
 * Copies an image, and what refers to it or to a part of it, into a sink: only what the sink lacks, byte for byte.
 * @returns what the image leads to, and the referrers: a transaction adds both
 * @throws {@link DrayageError} as {@link contentsOf}; errors of the sink
 * @example
 * ```ts
 * import { copyImage } from 'drayage/image';
 *
 * const [{ root, names, annotations }] = await layout.resolve('app:1');
 * await empty.update(async (transaction) => {
 *   const { referrers } = await copyImage(layout, root, transaction, { annotations });
 *   for (const referrer of referrers) transaction.add(referrer, [], {});
 *   transaction.add(root, names, annotations);
 * });
 * ```
 */
export async function copyImage(
  place: ContentSource & Pick<ImageIndex, 'referrers'>,
  root: Descriptor,
  sink: ContentSink,
  { annotations, ...options }: CopyImageOptions = {},
): Promise<{ contents: ImageContents; referrers: Descriptor[] }> {
  const { signal } = options;
  const contents = await contentsOf(place, root, { annotations, signal });
  return { contents, referrers: await copyAttached(contents, place, place, intoSink(place, sink), options) };
}

/**
 * Copies into a sink. The sink decides whether its own copy of a blob is intact; only otherwise is the source opened.
 * @param onRead is called with each number of bytes that were read, and their blob
 */
export function intoSink(
  source: ContentSource,
  sink: ContentSink,
  onRead?: (bytes: number, blob: Descriptor) => void,
): Receiver {
  return {
    takeBlob: async (blob, options) => {
      let by: CopiedBy = 'reused';
      const bytes = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
        by = 'written';
        yield* tap(await source.open(blob, options), ({ length }) => onRead?.(length, blob));
      };
      await sink.put(blob, bytes(), options);
      return by;
    },
    takeDocument: async ({ descriptor, bytes }, options) => sink.put(descriptor, once(bytes), options),
  };
}

/** Stored bytes of blobs by how they came, and what counts them: an `onBlob`. */
export function byteCounter(): {
  bytes: Record<CopiedBy, number>;
  onBlob: (blob: Descriptor, by: CopiedBy) => void;
} {
  const bytes = { written: 0, mounted: 0, reused: 0 };
  return { bytes, onBlob: ({ size }, by) => void (bytes[by] += size) };
}

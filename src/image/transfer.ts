import pLimit from 'p-limit';
import type { ContentSink } from '../content/sink.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { ParsedDocument } from '../oci/manifest.ts';
import { walk } from './contents.ts';
import { isImageManifest } from './documents.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isNonDistributable } from '../oci/media-types.ts';
import { omittedBlobs } from './omitted-layers.ts';
import { once, tap } from '../stream/tap.ts';

/** The blobs that were wanted so far: how large each is, and whether it had to come or was there. */
export type TransferredBlobs = Map<Digest, { size: number; came: boolean }>;

/** Options of {@link transfer}. */
export interface TransferOptions extends ContentOptions {
  /** How many of an image's first layers do not come, since they are left out on purpose. Default: none. */
  omitted?: number;
  /** How many blobs come at a time. Default 4. */
  concurrency?: number;
  /** Called with each number of bytes that has come. */
  onRead?: (bytes: number) => void;
}

/** What an image consists of. */
interface Parts {
  documents: ParsedDocument<unknown>[];
  /** Configs, layers and whatever else manifests name; without layers that were left out on purpose. */
  blobs: Descriptor[];
}

/**
 * Brings all that a root leads to from one place to another, byte for byte: only the blobs that are not there, several at a
 * time, each checked against its digest. Nothing is decompressed.
 * @param blobs gets the blobs that the root needs; those that are in it already are passed over
 * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `MALFORMED`, and what the places say
 */
export async function transfer(
  source: ContentSource,
  root: Descriptor,
  target: ContentSink,
  blobs: TransferredBlobs,
  { omitted = 0, concurrency = 4, signal, onRead }: TransferOptions = {},
): Promise<void> {
  const parts = await partsOf(source, root, omitted, { signal });
  const missing = parts.blobs.filter(({ digest }) => !blobs.has(digest));
  const limit = pLimit(concurrency);
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const bring = async (descriptor: Descriptor): Promise<void> => {
    let came = false;
    // The target says whether what it has is intact; only if not is the source asked for the blob.
    const bytes = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      came = true;
      const stream = await source.open(descriptor, { signal: either });
      yield* tap(stream, ({ length }) => onRead?.(length));
    };
    await target.put(descriptor, bytes(), { signal: either });
    blobs.set(descriptor.digest, { size: descriptor.size, came });
  };
  try {
    await Promise.all(missing.map((descriptor) => limit(() => bring(descriptor))));
  } catch (error) {
    limit.clearQueue();
    stop.abort(error);
    throw error;
  }
  // Blobs first: what names others comes when they are there.
  for (const { descriptor, bytes } of parts.documents) await target.put(descriptor, once(bytes), { signal });
}

/** What a root consists of, as far as its place holds it where it may be absent. */
async function partsOf(
  source: ContentSource,
  root: Descriptor,
  omitted: number,
  options: ContentOptions,
): Promise<Parts> {
  const documents: ParsedDocument<unknown>[] = [];
  const blobs = new Map<Digest, Descriptor>();
  for await (const node of walk(source, root, options)) {
    if (node.kind === 'index' || node.kind === 'manifest') documents.push(node.document);
    if (node.kind !== 'manifest') continue;
    const { config, layers } = node.document.value;
    blobs.set(config.digest, config);
    const leftOut = omittedBlobs(layers, isImageManifest(node.document) ? omitted : 0);
    for (const layer of layers) {
      if (leftOut.has(layer.digest)) continue;
      const mayLack = isNonDistributable(layer.mediaType) && !(await source.has(layer, options));
      if (!mayLack) blobs.set(layer.digest, layer);
    }
  }
  return { documents, blobs: [...blobs.values()] };
}

/** Stored bytes of blobs, each counted once: those that came, and those that were there already. */
export function countBytes(blobs: TransferredBlobs): { came: number; there: number; total: number } {
  let came = 0;
  let there = 0;
  for (const blob of blobs.values()) {
    if (blob.came) came += blob.size;
    else there += blob.size;
  }
  return { came, there, total: came + there };
}

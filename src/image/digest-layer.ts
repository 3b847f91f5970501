import type { Readable } from 'node:stream';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isDrayageError } from '../errors.ts';
import { BlockHash, usableDigesters, SMALL } from '../ingest/hash.ts';
import type { Slots } from '../ingest/slots.ts';
import type { Threads } from '../ingest/threads.ts';
import type { Layer } from './layer.ts';
import { assertReadable } from './layer-type.ts';
import type { Digest, Digester } from '../oci/digest.ts';
import { createDigester, digestAlgorithm } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import { CODECS, detectCompression } from '../stream/codecs.ts';
import { countBytes, drain } from '../stream/drain.ts';
import { sniffed } from '../stream/sniffed.ts';

/** Threads and memory for proofs. */
export interface ProofThreads {
  readonly threads: Threads;
  readonly slots: Slots;
}

/** What was computed of a layer's content, uncompressed. */
export interface LayerContent {
  digest: string;
  size: number;
  compression: Compression;
}

/**
 * Reads a layer's blob, which its source checks, and computes the digest of what it decompresses to, by the algorithm of the
 * diffID.
 * @param hashing decompresses and hashes on these threads; default: on the calling thread
 * @throws {@link DrayageError} `DIGEST_MISMATCH` and `SIZE_MISMATCH` of the blob; `MALFORMED`, `TRUNCATED`, `NOT_FOUND`,
 * `UNSUPPORTED`
 */
export async function digestLayer(
  source: ContentSource,
  layer: Layer,
  options: ContentOptions,
  hashing?: ProofThreads,
): Promise<LayerContent> {
  const open = async (): Promise<Readable> => source.open(layer.blob, { ...options, diffIdChecked: true });
  if (hashing !== undefined) {
    try {
      assertReadable(layer.blob);
      return (
        (await digestFile(source, layer, options, hashing)) ?? (await digestOpened(open, layer, hashing))
      );
    } catch (error) {
      // Threads decompress each part in one call. If that fails, stream decoders read all again and decide.
      if (!isUndecodable(error)) throw error;
    }
  }
  return digestOpened(open, layer).catch(async (error: unknown) => {
    // Damaged bytes may have reached the decoder before their digest was known: then the blob itself is checked.
    if (isUndecodable(error)) await drain(await open());
    throw error;
  });
}

/**
 * Has a thread read an uncompressed layer from its file.
 * @returns undefined if it is compressed, too small for a thread, or in no file
 */
async function digestFile(
  source: ContentSource,
  { diffId, blob }: Layer,
  { signal }: ContentOptions,
  { threads }: ProofThreads,
): Promise<LayerContent | undefined> {
  const digesterOf = usableDigesters(threads);
  const isPlain = blob.digest === diffId && digestAlgorithm(diffId) === 'sha256';
  if (!isPlain || blob.size < SMALL || digesterOf === undefined) return undefined;
  const head = await source.hashBlob?.(blob, {
    signal,
    digestFile: async (file: number, size: number): Promise<Digest> => {
      const digester = digesterOf(file);
      digester.grown(size);
      return digester.digest();
    },
  });
  // What is compressed is not its own layer: reading it says so.
  if (head === undefined || detectCompression(head) !== 'none') return undefined;
  return { digest: diffId, size: blob.size, compression: 'none' };
}

/** Whether a decoder refused the bytes. */
function isUndecodable(error: unknown): boolean {
  return isDrayageError(error, 'MALFORMED', 'TRUNCATED', 'UNSUPPORTED');
}

/** The digest of a blob's content. The source hashes the blob, so an uncompressed one is not hashed again. */
async function digestOpened(
  open: () => Promise<Readable>,
  layer: Layer,
  hashing?: ProofThreads,
): Promise<LayerContent> {
  assertReadable(layer.blob);
  const what = `layer ${layer.blob.digest}`;
  const { compression, bytes } = await sniffed(await open(), what);
  if (compression === 'none' && layer.blob.digest === layer.diffId)
    return { digest: layer.diffId, size: await countBytes(bytes), compression };
  const codec = CODECS[compression];
  const algorithm = digestAlgorithm(layer.diffId);
  if (hashing === undefined || algorithm !== 'sha256') {
    const digester = createDigester(algorithm);
    const size = await digestContent(codec.decompress(bytes, what, { freesChunks: true }), [digester]);
    return { digest: digester.digest(), size, compression };
  }
  const hash = new BlockHash(hashing.threads);
  try {
    const content = codec.decompress(bytes, what, {
      takePart: (part) => hash.takePart(part),
      freesChunks: true,
    });
    return { ...(await hash.drain(hashing.slots.blocks(content))), compression };
  } finally {
    await hash.drop();
  }
}

/** Hashes uncompressed bytes on this thread. @returns their number */
export async function digestContent(
  bytes: AsyncIterable<Uint8Array>,
  digesters: readonly Digester[],
): Promise<number> {
  let size = 0;
  for await (const chunk of bytes) {
    for (const digester of digesters) digester.update(chunk);
    size += chunk.length;
  }
  return size;
}

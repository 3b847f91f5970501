import type { Readable } from 'node:stream';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { DrayageError } from '../errors.ts';
import { isDrayageError, isUnusable } from '../errors.ts';
import { PROCESS_MEMORY } from '../ingest/block-memory.ts';
import { availableCores } from '../ingest/cores.ts';
import { BlockHash } from '../ingest/hash.ts';
import type { HashManyOptions } from '../ingest/hash-many.ts';
import { hashMany } from '../ingest/hash-many.ts';
import { Slots } from '../ingest/slots.ts';
import type { Threads } from '../ingest/threads.ts';
import type { Layer } from './layer.ts';
import { isProven, noteProven, pairOf, provenSize } from './proven.ts';
import type { Digester } from '../oci/digest.ts';
import { createDigester, digestAlgorithm } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import { CODECS } from '../stream/codecs.ts';
import { countBytes, drain } from '../stream/drain.ts';
import { sniffed } from '../stream/sniffed.ts';
import { digestMismatch } from '../stream/verified.ts';

/** The bytes that are hashed at a time, and how many of all layers are in memory at once on few cores. */
const BLOCK = 1024 * 1024;
const MEMORY = 16 * BLOCK;

/**
 * Proves that a blob contains the layer of a diffID: it is read, decompressed and hashed, unless this process has done
 * that.
 * @returns the number of uncompressed bytes
 * @throws {@link DrayageError} `DIGEST_MISMATCH`, also if the intact blob contains another layer; `SIZE_MISMATCH`,
 * `MALFORMED`, `TRUNCATED`, `NOT_FOUND`, `UNSUPPORTED`
 */
export async function prove(
  source: ContentSource,
  layer: Layer,
  options: ContentOptions = {},
): Promise<number> {
  return provenSize(layer) ?? read(source, layer, options);
}

/** Options of {@link proveAll}. */
export interface ProveAllOptions extends HashManyOptions {
  /** Called with a layer that is absent, damaged or another one, and the reason; default: that is thrown. */
  onUnusable?: (layer: Layer, error: DrayageError) => void;
}

/** Proves several layers at a time, hashing on threads, as {@link prove} does for one. */
export async function proveAll(
  source: ContentSource,
  layers: readonly Layer[],
  { onUnusable, ...options }: ProveAllOptions = {},
): Promise<void> {
  const unknown = new Map(layers.filter((layer) => !isProven(layer)).map((layer) => [pairOf(layer), layer]));
  // Two blocks for each layer: one is filled while another one is hashed.
  const budget = Math.max(MEMORY, 2 * (options.concurrency ?? availableCores()) * BLOCK);
  const slots = new Slots(BLOCK, budget, { memory: PROCESS_MEMORY });
  const proving = hashMany(
    [...unknown.values()],
    ({ blob }) => blob.size,
    async (layer, threads, signal) => {
      try {
        await read(source, layer, { signal }, threads && { threads, slots });
      } catch (error) {
        if (onUnusable === undefined || !isUnusable(error)) throw error;
        onUnusable(layer, error);
      }
    },
    options,
  );
  await proving.finally(() => slots.close());
}

/** Hashing on threads. */
interface Hashing {
  threads: Threads;
  slots: Slots;
}

async function read(
  source: ContentSource,
  layer: Layer,
  options: ContentOptions,
  hashing?: Hashing,
): Promise<number> {
  const { diffId, blob } = layer;
  const open = async (): Promise<Readable> => source.open(blob, { ...options, diffIdChecked: true });
  const { digest, size, compression } = await digestOpened(await open(), layer, hashing).catch(
    async (error: unknown) => {
      // Damaged bytes may have reached the decoder before their digest was known: then the blob itself is checked.
      if (isDrayageError(error, 'MALFORMED', 'TRUNCATED', 'UNSUPPORTED')) await drain(await open());
      throw error;
    },
  );
  if (digest !== diffId)
    throw digestMismatch({ digest: diffId, size }, digest, `content of layer ${blob.digest}`);
  noteProven(layer, size, compression);
  return size;
}

/** The digest of an opened blob's content. The source has hashed the blob, so an uncompressed one is not hashed again. */
async function digestOpened(
  opened: Readable,
  layer: Layer,
  hashing: Hashing | undefined,
): Promise<{ digest: string; size: number; compression: Compression }> {
  const what = `layer ${layer.blob.digest}`;
  const { compression, bytes } = await sniffed(opened, what);
  if (compression === 'none' && layer.blob.digest === layer.diffId)
    return { digest: layer.diffId, size: await countBytes(bytes), compression };
  const content = CODECS[compression].decompress(bytes, what);
  return { ...(await digestLayer(content, layer, hashing)), compression };
}

async function digestLayer(
  bytes: AsyncIterable<Uint8Array>,
  { diffId }: Layer,
  hashing: Hashing | undefined,
): Promise<{ digest: string; size: number }> {
  const algorithm = digestAlgorithm(diffId);
  if (hashing === undefined || algorithm !== 'sha256') {
    const digester = createDigester(algorithm);
    const size = await digestContent(bytes, [digester]);
    return { digest: digester.digest(), size };
  }
  const hash = new BlockHash(hashing.threads);
  try {
    return await hash.drain(hashing.slots.blocks(bytes));
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

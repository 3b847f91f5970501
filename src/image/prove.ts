import type { Readable } from 'node:stream';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { DrayageError } from '../errors.ts';
import { isDrayageError, isUnusable } from '../errors.ts';
import { PROCESS_MEMORY } from '../ingest/block-memory.ts';
import { availableCores } from '../ingest/cores.ts';
import { BlockHash, usableDigesters, SMALL } from '../ingest/hash.ts';
import type { HashManyOptions } from '../ingest/hash-many.ts';
import { hashMany } from '../ingest/hash-many.ts';
import { Slots } from '../ingest/slots.ts';
import { Threads } from '../ingest/threads.ts';
import type { Layer } from './layer.ts';
import { assertReadable } from './layer-type.ts';
import { isProven, noteProven, pairOf, provenSize } from './proven.ts';
import type { Digest, Digester } from '../oci/digest.ts';
import { createDigester, digestAlgorithm } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import { CODECS, detectCompression } from '../stream/codecs.ts';
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
  { hashing, ...options }: ProveOptions = {},
): Promise<number> {
  return provenSize(layer) ?? read(source, layer, options, hashing);
}

/** Options of {@link prove}. */
export interface ProveOptions extends ContentOptions {
  /** Decompresses and hashes on these threads. Default: on the calling thread. */
  hashing?: ProofThreads | undefined;
}

/** Threads and memory for proofs. */
export interface ProofThreads {
  readonly threads: Threads;
  readonly slots: Slots;
}

/** Threads and memory for many proofs, one after another; undefined on one core, where threads only cost. */
export function proofThreads(): (ProofThreads & AsyncDisposable) | undefined {
  return availableCores() > 1 ? new OwnThreads() : undefined;
}

class OwnThreads implements ProofThreads, AsyncDisposable {
  readonly threads: Threads = new Threads(1);
  readonly slots: Slots = new Slots(BLOCK, MEMORY, { memory: PROCESS_MEMORY });

  async [Symbol.asyncDispose](): Promise<void> {
    this.slots.close();
    await this.threads[Symbol.asyncDispose]();
  }
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

async function read(
  source: ContentSource,
  layer: Layer,
  options: ContentOptions,
  hashing?: ProofThreads,
): Promise<number> {
  const { diffId, blob } = layer;
  const open = async (): Promise<Readable> => source.open(blob, { ...options, diffIdChecked: true });
  const digestHere = async (): Promise<Content> =>
    digestBlob(open, layer).catch(async (error: unknown) => {
      // Damaged bytes may have reached the decoder before their digest was known: then the blob itself is checked.
      if (isUndecodable(error)) await drain(await open());
      throw error;
    });
  const digestOnThreads = async (threads: ProofThreads): Promise<Content> =>
    digestBlob(open, layer, threads).catch((error: unknown) => {
      // Threads decompress each part in one call. If that fails, stream decoders read all again and decide.
      if (isUndecodable(error)) return digestHere();
      throw error;
    });
  const isHashed = hashing !== undefined && (await hashPlain(source, layer, options, hashing));
  if (isHashed) return blob.size;
  const { digest, size, compression } = await (hashing === undefined
    ? digestHere()
    : digestOnThreads(hashing));
  if (digest !== diffId)
    throw digestMismatch({ digest: diffId, size }, digest, `content of layer ${blob.digest}`);
  noteProven(layer, size, compression);
  return size;
}

/**
 * Proves a layer that is uncompressed, in a file, and large enough for a thread, which reads it from there.
 * @returns false if it is not such a layer: nothing is proven then
 */
async function hashPlain(
  source: ContentSource,
  layer: Layer,
  { signal }: ContentOptions,
  { threads }: ProofThreads,
): Promise<boolean> {
  const { diffId, blob } = layer;
  if (blob.digest !== diffId || blob.size < SMALL || digestAlgorithm(diffId) !== 'sha256') return false;
  const digesterOf = usableDigesters(threads);
  if (digesterOf === undefined || source.hashBlob === undefined) return false;
  const digestFile = async (file: number, size: number): Promise<Digest> => {
    const digester = digesterOf(file);
    digester.grown(size);
    return digester.digest();
  };
  const head = await source.hashBlob(blob, { digestFile, signal });
  // What is compressed is not its own layer: reading it says so.
  if (detectCompression(head) !== 'none') return false;
  noteProven(layer, blob.size, 'none');
  return true;
}

/** Whether a decoder refused the bytes. */
function isUndecodable(error: unknown): boolean {
  return isDrayageError(error, 'MALFORMED', 'TRUNCATED', 'UNSUPPORTED');
}

/** What was computed of a layer's content. */
interface Content {
  digest: string;
  size: number;
  compression: Compression;
}

/** The digest of a blob's content. The source hashes the blob, so an uncompressed one is not hashed again. */
async function digestBlob(
  open: () => Promise<Readable>,
  layer: Layer,
  hashing?: ProofThreads,
): Promise<Content> {
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

import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { DrayageError } from '../errors.ts';
import { isUnusable } from '../errors.ts';
import { PROCESS_MEMORY } from '../ingest/block-memory.ts';
import { availableCores } from '../ingest/cores.ts';
import type { HashManyOptions } from '../ingest/hash-many.ts';
import { hashMany } from '../ingest/hash-many.ts';
import { Slots } from '../ingest/slots.ts';
import { Threads } from '../ingest/threads.ts';
import type { ProofThreads } from './digest-layer.ts';
import { digestLayer } from './digest-layer.ts';
import type { Layer } from './layer.ts';
import { isProven, noteProven, pairOf, provenSize } from './proven.ts';
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
  const { digest, size, compression } = await digestLayer(source, layer, options, hashing);
  if (digest !== diffId)
    throw digestMismatch({ digest: diffId, size }, digest, `content of layer ${blob.digest}`);
  noteProven(layer, size, compression);
  return size;
}

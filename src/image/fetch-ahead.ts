import { Readable } from 'node:stream';
import type { ContentSource, OpenOptions } from '../content/source.ts';
import { isRemote } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { eitherSignal } from '../stream/signals.ts';

/** How many blobs are fetched at a time: with the one that is read meanwhile, fewer than the connections to a host. */
const CONCURRENCY = 6;
/** The maximum number of bytes of fetched blobs in memory. */
const MEMORY = 64 * 1024 * 1024;
const CHUNK = 512 * 1024;

/** A blob to read, and the source that has it. */
export interface SourcedBlob {
  blob: Descriptor;
  source: ContentSource;
}

/**
 * Where a blob is now. `memory`: it was fetched, and is intact. `remote`: each reading costs requests, so read it once
 * if possible. `local`: anything else.
 */
export type BlobLocation = 'memory' | 'remote' | 'local';

/** A blob with the source to read it from. */
export type LocatedBlob<T extends SourcedBlob> = T & { location: BlobLocation };

/** How blobs are opened. */
export interface FetchAheadOptions extends Pick<OpenOptions, 'signal' | 'diffIdChecked'> {
  /** The maximum number of bytes in memory. Default 64 MiB. */
  memory?: number;
}

/**
 * Brings remote blobs into memory before they are read, several at a time, so that the receiver does not wait for each
 * request. Blobs that do not fit stay where they are. So do those of a source that passes in one order: they come in that
 * order. The consumer may use an item until it requests the second one after it.
 * @throws errors of a source, when it is the blob's turn
 */
export async function* fetchAhead<T extends SourcedBlob>(
  blobs: readonly T[],
  { memory = MEMORY, ...options }: FetchAheadOptions = {},
): AsyncGenerator<LocatedBlob<T>, void, undefined> {
  const items = inOrder(blobs);
  const stop = new AbortController();
  const opening = { ...options, once: true, signal: eitherSignal(options.signal, stop.signal) };
  /** By item. Those that the consumer has left are empty, so that their bytes can go. */
  const fetching: (Promise<LocatedBlob<T>> | undefined)[] = [];
  const held: number[] = [];
  let used = 0;
  const reserve = ({ size }: Descriptor): boolean => {
    if (used + size > memory) return false;
    used += size;
    return true;
  };
  const begin = async (i: number, item: T): Promise<LocatedBlob<T>> => {
    if (!(await isRemote(item.source, item.blob, opening))) return { ...item, location: 'local' };
    if (positionOf(item) !== undefined) return { ...item, location: 'remote' };
    if (!reserve(item.blob)) return { ...item, location: 'remote' };
    held[i] = item.blob.size;
    const bytes = await readWhole(await item.source.open(item.blob, opening), item.blob);
    return { ...item, source: memorySource(bytes), location: 'memory' };
  };
  try {
    for (const [i] of items.entries()) {
      for (const item of items.slice(fetching.length, i + CONCURRENCY)) {
        const one = begin(fetching.length, item);
        // Awaited when it is its turn, or never if the consumer has left.
        one.catch(() => undefined);
        fetching.push(one);
      }
      yield (await fetching[i])!;
      if (i === 0) continue;
      fetching[i - 1] = undefined;
      used -= held[i - 1] ?? 0;
    }
  } finally {
    stop.abort();
  }
}

/** Sorts those whose source passes in one order; the others come first, as they are. */
function inOrder<T extends SourcedBlob>(items: readonly T[]): T[] {
  return items.toSorted((a, b) => (positionOf(a) ?? -1) - (positionOf(b) ?? -1));
}

function positionOf({ blob, source }: SourcedBlob): number | undefined {
  return source.position?.(blob);
}

async function readWhole(bytes: AsyncIterable<Uint8Array>, { size }: Descriptor): Promise<Buffer> {
  const whole = Buffer.allocUnsafeSlow(size);
  let length = 0;
  for await (const chunk of bytes) {
    whole.set(chunk, length);
    length += chunk.length;
  }
  return whole;
}

/** One blob that is in memory. */
function memorySource(bytes: Buffer): ContentSource {
  return {
    has: async ({ size }) => size === bytes.length,
    open: async (_descriptor, { offset = 0 } = {}) =>
      Readable.from(chunksOf(bytes.subarray(offset)), { objectMode: false }),
  };
}

function* chunksOf(bytes: Buffer): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
}

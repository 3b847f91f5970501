import { Readable } from 'node:stream';
import type { Pack } from 'tar-stream';
import type { ContentOptions } from '../../content/source.ts';
import { asError } from '../../errors.ts';

/** A file that goes into an archive. */
export interface OutgoingEntry {
  name: string;
  /** The number of bytes to come. */
  size: number;
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Called when all of them are written. */
  onWritten?: (() => void) | undefined;
}

/** Options of {@link writeTar}. */
export interface WriteTarOptions extends ContentOptions {
  /** Called with the number of bytes of each chunk of the archive. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** The same for every archive, so that equal content makes equal archives. */
const ATTRIBUTES = { mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), type: 'file' } as const;

/**
 * Writes a tar archive, pulling entries and their bytes as it is read. It ends cleanly only if all of them came; else the
 * stream fails with their error. tar-stream is loaded when the archive is read: a run that finds all images present writes none.
 * @param entries gets a signal that fires when nobody reads on
 */
export function writeTar(
  entries: (signal: AbortSignal) => AsyncIterable<OutgoingEntry>,
  { signal, onBytes }: WriteTarOptions = {},
): Readable {
  const stop = new AbortController();
  const onAbort = (): void => void output.destroy(asError(signal?.reason));
  let begun = false;
  let pack: Pack | undefined;
  const begin = async (): Promise<void> => {
    begun = true;
    const { pack: createPack } = await import('tar-stream');
    if (output.destroyed) return;
    pack = createPack();
    pipe(pack, output, onBytes);
    await fill(pack, entries(stop.signal));
  };
  const output = new Readable({
    read: () => {
      if (begun) pack?.resume();
      else begin().catch((error: unknown) => output.destroy(asError(error)));
    },
    destroy: (error, callback) => {
      signal?.removeEventListener('abort', onAbort);
      stop.abort(error ?? undefined);
      pack?.destroy();
      callback(error);
    },
  });
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return output;
}

/** Pushes what comes out of `pack` into `output`, and pauses `pack` when `output` is full. */
function pipe(pack: Pack, output: Readable, onBytes: WriteTarOptions['onBytes']): void {
  pack.on('data', (chunk) => {
    if (ArrayBuffer.isView(chunk)) onBytes?.(chunk.byteLength);
    if (!output.push(chunk)) pack.pause();
  });
  pack.on('end', () => output.push(null));
}

/** A file whose bytes are all in memory. */
export function smallEntry(name: string, bytes: Uint8Array): OutgoingEntry {
  return { name, size: bytes.length, bytes: [bytes] };
}

async function fill(pack: Pack, entries: AsyncIterable<OutgoingEntry>): Promise<void> {
  for await (const entry of entries) await addEntry(pack, entry);
  pack.finalize();
}

async function addEntry(pack: Pack, { name, size, bytes, onWritten }: OutgoingEntry): Promise<void> {
  let settled = false;
  let failed = false;
  let wake: (() => void) | undefined;
  let sink: ReturnType<Pack['entry']> | undefined;
  const packed = new Promise<void>((resolve, reject) => {
    sink = pack.entry({ ...ATTRIBUTES, name, size }, (error) => {
      settled = true;
      failed = Boolean(error);
      if (error) reject(error);
      else resolve();
      wake?.();
    });
  });
  // It is awaited at the end; until then a failure shows in `failed`.
  packed.catch(() => undefined);
  // One listener for all waits: each wait has a promise of its own, so that nothing piles up with the size of the entry.
  sink?.on('drain', () => wake?.());
  for await (const chunk of bytes) {
    if (sink?.write(chunk) === false && !settled) await new Promise<void>((resolve) => (wake = resolve));
    if (failed) break;
  }
  sink?.end(undefined);
  await packed;
  onWritten?.();
}

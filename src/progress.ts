import type { ErrorReason } from './errors.ts';

/**
 * What a verb reports while it works. Facts only; whoever shows them formats them.
 *
 * - `start`: the work begins, and this much of it will be reported: images, `layer` events, and the sum of their sizes.
 *   Each is null if it is not known beforehand. Another start takes its place: a copy through a store starts once for
 *   each half, and a daemon may send more layers than it stated, of other platforms.
 * - `phase`: what is done from now on. It may come again, for the next image.
 * - `image`: work on an image has begun.
 * - `bytes`: this many more bytes of the stream were `read` or `sent`; of the blob `digest`, where they are its stored
 *   bytes. At most ten times a second for each blob, besides those that come before another event or the end.
 * - `layer`: a layer is done; `size` is its stored size in bytes. Where whole images are copied or checked, their
 *   other blobs count as well, and in a check their documents. These sizes add up to the size of
 *   the start.
 * - `waiting`: certificates or a daemon are not there yet, or another process holds the lock of a layout; at most this
 *   many seconds are waited for it; reported once for each.
 * - `note`: something worth one line to a person; `reason` if a caller can say what to do, `hint` if the library can.
 */
export type ProgressEvent =
  | { kind: 'start'; images: number | null; layers: number | null; size: number | null }
  | { kind: 'phase'; phase: ProgressPhase }
  | { kind: 'image'; name: string }
  | ProgressBytes
  | { kind: 'layer'; digest: string; size: number; status: LayerStatus }
  | { kind: 'waiting'; what: 'certificates' | 'daemon' | 'lock'; where: string; seconds: number }
  | { kind: 'note'; message: string; reason?: ErrorReason | undefined; hint?: string | undefined };

/** Bytes that have moved since the last report of the same kind. */
export interface ProgressBytes {
  kind: 'bytes';
  direction: 'read' | 'sent';
  bytes: number;
  digest?: string | undefined;
}

/**
 * What is being done: a daemon packs an archive before its first byte, content is read, content is hashed and proven, or
 * content is sent.
 */
export type ProgressPhase = 'spooling' | 'reading' | 'verifying' | 'sending';

/** What happened to a layer: newly stored, found in place, or omitted. */
export type LayerStatus = 'written' | 'reused' | 'omitted';

/** Takes progress events. Called synchronously; must not throw. */
export type OnProgress = (event: ProgressEvent) => void;

/** The least time between two reports of the bytes of one blob, in ms. */
const INTERVAL = 100;

/**
 * Thins out progress: bytes are added up between reports, and a phase is reported when it changes, or
 * the first time after a start. No byte is lost: what
 * was added up is reported before any other event, and by `flush`.
 */
export function pace(onProgress: OnProgress): { onProgress: OnProgress; flush: () => void } {
  const pending = new Map<string, ProgressBytes>();
  const reported = new Map<string, number>();
  let phase: ProgressPhase | undefined;
  const flush = (): void => {
    for (const event of pending.values()) onProgress(event);
    pending.clear();
  };
  const addBytes = (event: ProgressBytes): void => {
    const key = `${event.direction} ${event.digest ?? ''}`;
    const sum = { ...event, bytes: event.bytes + (pending.get(key)?.bytes ?? 0) };
    const now = performance.now();
    if (now - (reported.get(key) ?? -INTERVAL) < INTERVAL) {
      pending.set(key, sum);
      return;
    }
    pending.delete(key);
    reported.set(key, now);
    onProgress(sum);
  };
  const take = (event: ProgressEvent): void => {
    if (event.kind === 'bytes') return addBytes(event);
    if (event.kind === 'start') phase = undefined;
    if (event.kind === 'phase' && event.phase === phase) return;
    if (event.kind === 'phase') phase = event.phase;
    if (event.kind === 'layer')
      for (const direction of ['read', 'sent']) reported.delete(`${direction} ${event.digest}`);
    flush();
    onProgress(event);
  };
  return { onProgress: take, flush };
}

/** Runs a verb with its progress thinned out by {@link pace}, to the last byte. */
export async function paced<O extends { onProgress?: OnProgress | undefined }, R>(
  options: O,
  work: (options: O) => Promise<R>,
): Promise<R> {
  if (options.onProgress === undefined) return work(options);
  const { onProgress, flush } = pace(options.onProgress);
  try {
    return await work({ ...options, onProgress });
  } finally {
    flush();
  }
}

/** What is reported of a blob. */
interface ProgressBlob {
  digest: string;
  size: number;
}

/**
 * Reports the start of work on blobs.
 * @param groups the blobs of each part of the work: each counts once in a part
 * @returns reports that a blob is done, once for each part; others, such as those of signatures, are not reported
 */
export function startLayers(
  onProgress: OnProgress | undefined,
  images: number,
  groups: readonly (readonly ProgressBlob[])[],
): (blob: ProgressBlob, status: LayerStatus) => void {
  const blobs = groups.flatMap((group) => [...new Map(group.map((blob) => [blob.digest, blob])).values()]);
  const left = new Map<string, number>();
  for (const { digest } of blobs) left.set(digest, (left.get(digest) ?? 0) + 1);
  const size = blobs.reduce((sum, blob) => sum + blob.size, 0);
  onProgress?.({ kind: 'start', images, layers: blobs.length, size });
  return ({ digest, size: own }, status) => {
    const times = left.get(digest) ?? 0;
    if (times === 0) return;
    left.set(digest, times - 1);
    onProgress?.({ kind: 'layer', digest, size: own, status });
  };
}

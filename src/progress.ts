import type { ErrorReason } from './errors.ts';

/**
 * What a verb reports while it works. Facts only; whoever shows them formats them.
 *
 * - `image`: work on an image has begun.
 * - `bytes`: this many more bytes of the stream were `read` or `sent`.
 * - `layer`: a layer is done; `size` is its stored size in bytes.
 * - `waiting`: certificates or a daemon are not there yet, or another process holds the lock of a layout; at most this
 *   many seconds are waited for it; reported once for each.
 * - `note`: something worth one line to a person; `reason` if a caller can say what to do.
 */
export type ProgressEvent =
  | { kind: 'image'; name: string }
  | { kind: 'bytes'; direction: 'read' | 'sent'; bytes: number }
  | { kind: 'layer'; digest: string; size: number; status: LayerStatus }
  | { kind: 'waiting'; what: 'certificates' | 'daemon' | 'lock'; where: string; seconds: number }
  | { kind: 'note'; message: string; reason?: ErrorReason | undefined };

/** What happened to a layer: newly stored, found in place, or omitted. */
export type LayerStatus = 'written' | 'reused' | 'omitted';

/** Takes progress events. Called synchronously; must not throw. */
export type OnProgress = (event: ProgressEvent) => void;

import type { MessagePort } from 'node:worker_threads';
import { MessageChannel } from 'node:worker_threads';

/** Drops the memory that is transferred to it, because nobody listens at its other end. */
let drain: MessagePort | undefined;

/**
 * Frees the memory behind bytes at once; nobody may read it any more. Otherwise it waits for the garbage collector, and V8
 * marks the whole heap for every few megabytes that wait. Memory that is shared with threads or with other buffers stays.
 */
export function freeMemory({ buffer }: Uint8Array): void {
  // Small buffers are parts of a pool.
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength <= Buffer.poolSize) return;
  drain ??= openDrain();
  drain.postMessage(undefined, [buffer]);
}

function openDrain(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return port1;
}

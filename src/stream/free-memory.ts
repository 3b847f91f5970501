import type { MessagePort } from 'node:worker_threads';
import { MessageChannel } from 'node:worker_threads';

/** The bytes of the pool that small buffers are parts of. Node 26 makes it larger than `Buffer.poolSize`. */
const POOL = Buffer.allocUnsafe(1).buffer.byteLength;

/** Drops the memory that is transferred to it, because nobody listens at its other end. */
let drain: MessagePort | undefined;

/**
 * Frees the memory behind bytes at once; nobody may read it any more. Otherwise it waits for the garbage collector, and V8
 * marks the whole heap for every few megabytes that wait. Memory that is shared with threads or with other buffers stays.
 */
export function freeMemory({ buffer }: Uint8Array): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength <= POOL) return;
  drain ??= openDrain();
  drain.postMessage(undefined, [buffer]);
}

function openDrain(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return port1;
}

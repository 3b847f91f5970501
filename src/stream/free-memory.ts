import { setImmediate } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { MessageChannel } from 'node:worker_threads';

/** The bytes of the pool that small buffers are parts of. Node 26 makes it larger than `Buffer.poolSize`. */
const POOL = Buffer.allocUnsafe(1).buffer.byteLength;

/** The turns of the event loop that a port may take to close. Node takes two. */
const MAX_TURNS = 10;

/** Drops the memory that is transferred to it, because its other end is closed. */
interface Drain {
  port: MessagePort;
  /** Resolves when the other end is closed, or should be: until then, memory waits in it. */
  ready: Promise<void>;
}

let drain: Drain | undefined;

/**
 * Resolves when {@link freeMemory} frees memory at once: what is freed before waits for a turn of the event loop. Always
 * resolves: the wait saves memory, and nothing else depends on it.
 */
export async function readyToFree(): Promise<void> {
  drain ??= openDrain();
  await drain.ready;
}

/**
 * Frees the memory behind bytes at once; nobody may read it any more. Otherwise it waits for the garbage collector, and V8
 * marks the whole heap for every few megabytes that wait. Memory that is shared with threads or with other buffers stays.
 */
export function freeMemory({ buffer }: Uint8Array): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength <= POOL) return;
  drain ??= openDrain();
  drain.port.postMessage(undefined, [buffer]);
}

function openDrain(): Drain {
  const { port1, port2 } = new MessageChannel();
  return { port: port1, ready: closed(port2) };
}

/** Closes a port, and waits until it is closed. Not every runtime tells that: Bun 1.2 does not. */
async function closed(port: MessagePort): Promise<void> {
  const told = new Promise<void>((resolve) => port.once('close', resolve));
  port.close();
  await Promise.race([told, pass(MAX_TURNS)]);
}

/** Waits for turns of the event loop. */
async function pass(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await setImmediate();
}

import { isFillable } from './fillable.ts';

/** Bytes of memory that is filled again and again. */
const MEMORY = 256 * 1024;

/** Reads bytes to their end, for the checks that they pass on the way. */
export async function drain(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const chunks = bytes[Symbol.asyncIterator]();
  while ((await chunks.next()).done !== true);
}

/** Reads bytes to their end and counts them. */
export async function countBytes(bytes: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  if (!isFillable(bytes)) {
    for await (const chunk of bytes) size += chunk.length;
    return size;
  }
  const memory = Buffer.allocUnsafeSlow(MEMORY);
  for (let count = -1; count !== 0; size += count) count = await bytes.readInto(memory);
  return size;
}

import { Readable } from 'node:stream';

/**
 * A stream of what is made of another one. When it is closed, so is the other one: a stream that nobody reads never begins,
 * and would leave it open.
 */
export function derived(from: Readable, bytes: AsyncIterable<Uint8Array>): Readable {
  return Readable.from(bytes, { objectMode: false }).once('close', () => from.destroy());
}

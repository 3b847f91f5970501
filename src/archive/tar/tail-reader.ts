import { ByteReader } from '../../stream/byte-reader.ts';

/** How much is remembered, in bytes. */
const TAIL = 8192;

/** A reader that remembers the last bytes that came, for those who want to know why no more did. */
export class TailReader extends ByteReader {
  readonly #recent: Uint8Array[];

  constructor(bytes: AsyncIterable<Uint8Array>) {
    const recent: Uint8Array[] = [];
    super(remember(bytes, recent));
    this.#recent = recent;
  }

  /** The last few kilobytes that came, whether they were asked for or not. */
  tail(): Buffer {
    return Buffer.concat(this.#recent).subarray(-TAIL);
  }
}

/** Keeps as many of the last chunks as make up a tail. */
async function* remember(
  bytes: AsyncIterable<Uint8Array>,
  recent: Uint8Array[],
): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  for await (const chunk of bytes) {
    recent.push(chunk);
    size += chunk.length;
    while (size - (recent[0]?.length ?? 0) >= TAIL) size -= recent.shift()?.length ?? 0;
    yield chunk;
  }
}

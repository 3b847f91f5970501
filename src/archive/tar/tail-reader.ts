import { ByteReader } from '../../stream/byte-reader.ts';

/** How much is remembered, in bytes. */
const TAIL = 8192;

/** A reader that remembers the last bytes that came, for those who want to know why no more did. */
export class TailReader extends ByteReader {
  readonly #recent: Uint8Array[];

  /** @param onChunk sees each chunk as it comes */
  constructor(bytes: AsyncIterable<Uint8Array>, onChunk?: (chunk: Uint8Array) => void) {
    const recent: Uint8Array[] = [];
    let size = 0;
    super(bytes, (chunk) => {
      recent.push(chunk);
      size += chunk.length;
      while (size - (recent[0]?.length ?? 0) >= TAIL) size -= recent.shift()?.length ?? 0;
      onChunk?.(chunk);
    });
    this.#recent = recent;
  }

  /** The last few kilobytes that came, whether they were asked for or not. */
  tail(): Buffer {
    return Buffer.concat(this.#recent).subarray(-TAIL);
  }
}

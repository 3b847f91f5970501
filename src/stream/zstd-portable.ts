import { Decompress } from 'fzstd';
import { asError, DrayageError } from '../errors.ts';
import type { ZstdFrame } from './zstd-frames.ts';

/**
 * Decompresses one frame in JavaScript, for a Node without zstd. Ignores the frame's checksum.
 * @param what names the content in errors
 * @throws {@link DrayageError} `MALFORMED`
 */
export async function* decodeFramePortably(
  { pieces }: ZstdFrame,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  let output: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => output.push(chunk));
  // Block by block, because each push is decompressed before it returns: a few bytes may become 128 KiB.
  for await (const piece of pieces) {
    try {
      decoder.push(piece.bytes, piece.last);
    } catch (cause) {
      throw new DrayageError('MALFORMED', `${what} is not valid zstd: ${asError(cause).message}`, { cause });
    }
    yield* output;
    output = [];
  }
}

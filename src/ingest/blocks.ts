/**
 * Cuts bytes into blocks of one size, the last one shorter. No bytes at all make one empty block, so that what is
 * compressed of nothing is still a valid member or frame.
 */
export async function* blocks(
  bytes: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let block = Buffer.allocUnsafeSlow(size);
  let filled = 0;
  let any = false;
  for await (const chunk of bytes) {
    for (let start = 0; start < chunk.length;) {
      const part = chunk.subarray(start, start + size - filled);
      block.set(part, filled);
      start += part.length;
      filled += part.length;
      if (filled < size) continue;
      yield block;
      any = true;
      block = Buffer.allocUnsafeSlow(size);
      filled = 0;
    }
  }
  if (filled > 0 || !any) yield block.subarray(0, filled);
}

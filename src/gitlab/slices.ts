/**
 * Bytes without the first `skip` of them, and at most `length`. The rest is read and dropped, so that the connection
 * can be reused.
 */
export async function* sliceBytes(
  bytes: AsyncIterable<Uint8Array>,
  skip: number,
  length: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array, void, undefined> {
  let before = skip;
  let left = length;
  for await (const chunk of bytes) {
    const part = chunk.subarray(Math.min(before, chunk.length)).subarray(0, left);
    before = Math.max(0, before - chunk.length);
    left -= part.length;
    if (part.length > 0) yield part;
  }
}

/** Takes the first bytes; fewer if there are no more. `rest` must be read or returned. */
export async function takeHead(
  bytes: AsyncIterable<Uint8Array>,
  length: number,
): Promise<{ head: Buffer; rest: AsyncGenerator<Uint8Array, void, undefined> }> {
  const source = bytes[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (size < length) {
    const next = await source.next();
    if (next.done === true) break;
    chunks.push(next.value);
    size += next.value.length;
  }
  const head = Buffer.concat(chunks);
  async function* rest(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      if (head.length > length) yield head.subarray(length);
      for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  }
  return { head: head.subarray(0, length), rest: rest() };
}

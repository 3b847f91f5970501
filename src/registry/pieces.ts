/** The same bytes in pieces of this size, the last one smaller. */
export async function* pieces(
  bytes: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let held: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    let rest = chunk;
    while (length + rest.length >= size) {
      const part = rest.subarray(0, size - length);
      const piece = Buffer.concat([...held, part]);
      rest = rest.subarray(part.length);
      // Keeps the piece only once while it is sent.
      [held, length] = [[], 0];
      yield piece;
    }
    if (rest.length > 0) held.push(rest);
    length += rest.length;
  }
  if (length > 0) yield Buffer.concat(held);
}

/** Passes bytes through and shows each chunk to `see` first; the result of `see` is awaited. */
export async function* tap(
  bytes: AsyncIterable<Uint8Array>,
  see: (chunk: Uint8Array) => void | Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) {
    await see(chunk);
    yield chunk;
  }
}

/** Bytes that are all in memory, as a stream of one chunk. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

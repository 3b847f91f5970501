/** Bytes that can also be read into memory that the reader provides, so that no chunk is allocated for them. */
export interface FillableBytes extends AsyncIterable<Uint8Array> {
  /** Whether that saves memory: false if the bytes arrive in chunks all the same. */
  readonly fillsDirectly: boolean;
  /**
   * Reads the next bytes into the start of `target`. Returns how many there were: at least one, 0 only at the end of
   * input. Errors of the source are thrown as they are.
   * @param target is written to until this resolves; not empty. After a failure, it may still be written to: then it must
   * not be used any more
   */
  readInto(target: Uint8Array): Promise<number>;
}

/** Whether bytes are better read into memory of the reader's than in chunks. */
export function isFillable(bytes: AsyncIterable<Uint8Array>): bytes is FillableBytes {
  return 'fillsDirectly' in bytes && bytes.fillsDirectly === true;
}

/** The next bytes in a chunk of their own, of at most `size` bytes: what an iterator of such bytes gives. */
export async function nextChunk(
  bytes: Pick<FillableBytes, 'readInto'>,
  size: number,
): Promise<IteratorResult<Uint8Array, void>> {
  const chunk = Buffer.allocUnsafeSlow(size);
  const count = await bytes.readInto(chunk);
  return count === 0 ? { done: true, value: undefined } : { done: false, value: chunk.subarray(0, count) };
}

/**
 * Prepares items one ahead: while the consumer is busy with an item, the next one is being prepared. Two are never prepared
 * at once.
 */
export async function* oneAhead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  prepare: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  let ahead: Promise<R> | undefined;
  for await (const item of items) {
    const current = ahead;
    ahead = current === undefined ? prepare(item) : current.then(async () => prepare(item));
    // It is awaited later, or never, where the consumer has left.
    ahead.catch(() => undefined);
    if (current !== undefined) yield await current;
  }
  if (ahead !== undefined) yield await ahead;
}

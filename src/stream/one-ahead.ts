/**
 * Prepares items one ahead: while the consumer is busy with one item, the next one is prepared. Never prepares two at
 * once.
 */
export async function* oneAhead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  prepare: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  let ahead: Promise<R> | undefined;
  for await (const item of items) {
    const current = ahead;
    ahead = current === undefined ? prepare(item) : current.then(async () => prepare(item));
    // Awaited later, or never if the consumer has left.
    ahead.catch(() => undefined);
    if (current !== undefined) yield await current;
  }
  if (ahead !== undefined) yield await ahead;
}

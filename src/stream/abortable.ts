/**
 * Passes bytes through until `signal` fires. Then it rejects with `signal.reason` at once, even if the source is
 * silent, and destroys the source.
 */
export async function* abortable(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = bytes[Symbol.asyncIterator]();
  const next = signal === undefined ? async () => chunks.next() : nextOrAbort(chunks, signal);
  let ended = false;
  try {
    for (;;) {
      const step = await next();
      ended = step.done === true;
      if (step.done === true) return;
      yield step.value;
    }
  } finally {
    if (!ended) end(bytes, chunks);
  }
}

function nextOrAbort(
  chunks: AsyncIterator<Uint8Array>,
  signal: AbortSignal,
): () => Promise<IteratorResult<Uint8Array>> {
  return async () => {
    signal.throwIfAborted();
    let onAbort = ignore;
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(signal.reason);
    });
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([chunks.next(), aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  };
}

function ignore(): void {}

/** `return` cannot end an iterator that waits for its next chunk; only destroying its stream can. */
function end(bytes: AsyncIterable<Uint8Array>, chunks: AsyncIterator<Uint8Array>): void {
  if ('destroy' in bytes && typeof bytes.destroy === 'function') bytes.destroy();
  chunks.return?.().then(ignore, ignore);
}

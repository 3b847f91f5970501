import type { Readable } from 'node:stream';
import { DrayageError } from '../errors.ts';
import { networkError } from './network-error.ts';
import type { Retry } from './retry.ts';

/** After this many bytes, earlier failures no longer count. */
const PROGRESS = 256 * 1024;

/** A part of a file as it begins to arrive. */
export interface Opened {
  body: Readable;
  /** How many bytes of the body precede the wanted ones. */
  skip: number;
}

/** Options of {@link resumable}. */
export interface ResumableOptions {
  /** Where the wanted bytes begin in the file. Default 0. */
  offset?: number | undefined;
  /** How many bytes are wanted. */
  length: number;
  /** Opens the file at an offset. */
  openAt: (at: number) => Promise<Opened>;
  /** Names the file in errors. */
  url: string;
  retry: Retry;
  signal: AbortSignal | undefined;
  /** Called with the number of bytes of each chunk that arrives. */
  onReceived: (bytes: number) => void;
}

/**
 * Reads bytes through interruptions: after each one it continues where it stopped, as long as there is progress.
 * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, and errors of `openAt`
 */
export async function* resumable(options: ResumableOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { offset = 0, length, retry, signal, url } = options;
  let source: AsyncGenerator<Uint8Array> | undefined;
  let [done, mark, failures] = [0, 0, 0];
  try {
    while (done < length) {
      let chunk: Uint8Array;
      try {
        signal?.throwIfAborted();
        source ??= wanted(await options.openAt(offset + done), length - done, options.onReceived);
        const next = await source.next();
        if (next.done === true) throw cut(url, offset + done, offset + length);
        chunk = next.value;
      } catch (error) {
        source = undefined;
        signal?.throwIfAborted();
        failures = done - mark >= PROGRESS ? 1 : failures + 1;
        mark = done;
        await retry.pause(networkError(url, error), failures, signal);
        continue;
      }
      done += chunk.length;
      yield chunk;
    }
    // Reads to the end, so that the connection can be reused.
    await source?.next().catch(() => {});
  } finally {
    await source?.return(undefined);
  }
}

/** The wanted bytes of a body. Further bytes are not read. */
async function* wanted(
  { body, skip }: Opened,
  length: number,
  onReceived: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let before = skip;
  let left = length;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    onReceived(chunk.length);
    if (left === 0) return;
    const part = chunk.subarray(Math.min(before, chunk.length)).subarray(0, left);
    before = Math.max(0, before - chunk.length);
    left -= part.length;
    if (part.length > 0) yield part;
  }
}

function cut(url: string, actual: number, expected: number): DrayageError {
  return new DrayageError('UNREACHABLE', `${url} ended after ${actual} of ${expected} bytes`, {
    url,
    expected,
    actual,
    hint: 'try again',
  });
}

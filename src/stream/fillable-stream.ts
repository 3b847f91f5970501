import { Readable } from 'node:stream';
import { asError } from '../errors.ts';
import type { FillableBytes } from './fillable.ts';

/** Bytes that end at once when they are destroyed; whoever reads then gets the error. */
export interface EndableBytes extends FillableBytes {
  destroy(error?: Error): void;
}

/**
 * Bytes as a stream, which can also be read into the reader's memory. A reader uses one of the two ways: `for await` and
 * `readInto` take the bytes as they are, everything else takes them as from any stream.
 */
export class FillableStream extends Readable implements FillableBytes {
  readonly fillsDirectly = true;
  readonly #bytes: EndableBytes;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #explain: (error: unknown) => unknown;

  /** @param explain what is thrown for a failure of the bytes */
  constructor(bytes: EndableBytes, explain: (error: unknown) => unknown) {
    super({ objectMode: false });
    this.#bytes = bytes;
    this.#chunks = bytes[Symbol.asyncIterator]();
    this.#explain = explain;
  }

  override _read(): void {
    this.#chunks.next().then(
      ({ done, value }) => this.push(done === true ? null : value),
      (error: unknown) => this.destroy(asError(error)),
    );
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const explained = error && asError(this.#explain(error));
    this.#bytes.destroy(explained ?? undefined);
    callback(explained);
  }

  async readInto(target: Uint8Array): Promise<number> {
    return this.#reading(
      () => this.#bytes.readInto(target),
      (count) => count === 0,
    );
  }

  /** Not that of streams, which reads ahead: then `readInto` would miss bytes. */
  override [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    // Failures are thrown to the reader.
    this.on('error', () => {});
    const next = async (): Promise<IteratorResult<Uint8Array, void>> =>
      this.#reading(
        () => this.#chunks.next(),
        ({ done }) => done === true,
      );
    const end = async (): Promise<IteratorReturnResult<void>> => {
      this.destroy();
      return { done: true, value: undefined };
    };
    const iterator = {
      next,
      return: end,
      throw: async (error: unknown): Promise<never> => {
        await end();
        throw error;
      },
      [Symbol.asyncIterator]: () => iterator,
      [Symbol.asyncDispose]: async () => void (await end()),
    };
    return iterator;
  }

  /** Reads once. At the end, and after a failure, the stream is closed. */
  async #reading<T>(read: () => Promise<T>, isEnd: (result: T) => boolean): Promise<T> {
    try {
      const result = await read();
      if (isEnd(result)) this.destroy();
      return result;
    } catch (error) {
      this.destroy();
      throw this.#explain(error);
    }
  }
}

import { Readable } from 'node:stream';
import type { ContentOptions } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import { abortable, orAbort } from '../../stream/abortable.ts';
import { entryPath } from '../tar/entry-name.ts';
import type { TarEntry } from '../tar/read.ts';
import { readTar } from '../tar/read.ts';

/**
 * An archive that is not kept: it is requested again to read an entry. One request serves all entries that are read
 * in the order in which they come, one after the other.
 */
export class PassingArchive {
  readonly #signal: AbortSignal | undefined;
  #bytes: Readable | undefined;
  #entries: AsyncGenerator<TarEntry, void, undefined> | undefined;
  /** Ends when nobody reads an entry: two at a time cannot be read from one stream. */
  #turn: Promise<void> = Promise.resolve();

  constructor({ signal }: ContentOptions = {}) {
    this.#signal = signal;
  }

  /**
   * Opens an entry when the one before it is closed. Nothing checks the content.
   * @param request opens the archive, or the rest of it from this entry on; called if the entry has passed
   * @throws {@link DrayageError} `NOT_FOUND` if a new archive lacks it; errors of the archive
   */
  async open(
    name: string,
    request: () => Promise<Readable>,
    { signal }: ContentOptions = {},
  ): Promise<Readable> {
    const opened = this.#turn.then(async () => {
      signal?.throwIfAborted();
      const { bytes } = (await this.#find(name)) ?? (await this.#findAgain(name, request));
      return Readable.from(inTurn(bytes), { objectMode: false });
    });
    this.#turn = opened.then(closed).catch(ignore);
    try {
      return await orAbort(signal, () => opened);
    } catch (error) {
      opened.then((unread) => unread.destroy(), ignore);
      throw error;
    }
  }

  /** Ends the request. */
  close(): void {
    this.#bytes?.destroy();
    this.#entries = undefined;
  }

  /** Searches what is still to come. */
  async #find(name: string): Promise<TarEntry | undefined> {
    this.#signal?.throwIfAborted();
    for (;;) {
      const next = await this.#entries?.next();
      if (next === undefined || next.done === true) return undefined;
      if (next.value.type === 'file' && entryPath(next.value.name) === name) return next.value;
    }
  }

  async #findAgain(name: string, request: () => Promise<Readable>): Promise<TarEntry> {
    this.close();
    this.#bytes = await request();
    // The reader of the entries reports its errors. An archive without its end has no further entries.
    this.#bytes.on('error', ignore);
    this.#entries = readTar(abortable(this.#bytes, this.#signal), { onUnended: ignore });
    const found = await this.#find(name);
    if (found !== undefined) return found;
    throw new DrayageError('NOT_FOUND', `the archive lacks ${name}, which it held before`, { entry: name });
  }
}

/** When it is closed early, the chunk that is being read comes first: only then may another entry be read. */
async function* inTurn(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) yield chunk;
}

async function closed(stream: Readable): Promise<void> {
  await new Promise((resolve) => stream.once('close', resolve));
}

function ignore(): void {}

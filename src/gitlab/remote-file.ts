import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import type { GitLabApi } from './api.ts';
import { drop, readContentRange } from '../http/reply.ts';
import type { ArchiveLocation } from './archive-location.ts';
import type { RandomAccess } from './random-access.ts';
import type { Opened } from '../http/resumable.ts';
import { resumable } from '../http/resumable.ts';

/** An archive that is read in place, by ranges. */
export class RemoteFile implements RandomAccess {
  readonly size: number;
  readonly name: string;
  readonly isRemote = true;
  readonly #api: GitLabApi;
  readonly #location: ArchiveLocation;

  private constructor(api: GitLabApi, location: ArchiveLocation, size: number) {
    this.size = size;
    this.name = location.name;
    this.#api = api;
    this.#location = location;
  }

  /**
   * Opens an archive by requesting its first byte, which also returns its size.
   * @returns undefined if the server serves no ranges
   * @throws {@link DrayageError} `NOT_FOUND`, `UNREACHABLE`, `TIMEOUT`
   */
  static async open(
    api: GitLabApi,
    location: ArchiveLocation,
    { signal }: ContentOptions = {},
  ): Promise<RemoteFile | undefined> {
    return api.retry.run(async () => {
      const reply = await location.get('bytes=0-0', { signal });
      drop(reply);
      const total = reply.status === 206 ? readContentRange(reply)?.total : undefined;
      return total === undefined ? undefined : new RemoteFile(api, location, total);
    }, signal);
  }

  read(start: number, length: number, { signal }: ContentOptions = {}): AsyncIterable<Uint8Array> {
    const { retry, onReceived } = this.#api;
    const openAt = (at: number): Promise<Opened> => this.#openAt(at, start + length - 1, signal);
    return resumable({ offset: start, length, openAt, url: this.name, retry, signal, onReceived });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #openAt(first: number, last: number, signal: AbortSignal | undefined): Promise<Opened> {
    const reply = await this.#location.get(`bytes=${first}-${last}`, { signal });
    const range = reply.status === 206 ? readContentRange(reply) : undefined;
    if (range?.first === first && range.total === this.size) return { body: reply.body, skip: 0 };
    drop(reply);
    // One of several servers may not serve ranges, and a moving reference may lead to another archive by now.
    const what =
      range === undefined ? `gives out no range (${reply.status})` : 'is another file than a moment ago';
    throw new DrayageError('UNREACHABLE', `${this.name} ${what}`, { url: this.name, hint: 'try again' });
  }
}

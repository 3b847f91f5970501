import type { FileHandle } from 'node:fs/promises';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContentOptions } from '../content/source.ts';
import { currentBudget } from '../budget.ts';
import { DrayageError } from '../errors.ts';
import { diskError } from '../system-error.ts';
import type { GitLabApi } from './api.ts';
import { drop } from '../http/reply.ts';
import type { ArchiveLocation } from './archive-location.ts';
import { networkError } from '../http/network-error.ts';
import type { RandomAccess } from './random-access.ts';

const READ_SIZE = 512 * 1024;

/** An archive that was downloaded whole because its server serves no ranges. Removed when closed. */
export class DownloadedFile implements RandomAccess {
  readonly size: number;
  readonly name: string;
  readonly isRemote = false;
  readonly #folder: string;
  readonly #handle: FileHandle;

  private constructor(folder: string, handle: FileHandle, size: number, name: string) {
    this.#folder = folder;
    this.#handle = handle;
    this.size = size;
    this.name = name;
  }

  /**
   * Downloads an archive into a private folder below `temporary`. After an interruption it starts again.
   * @throws {@link DrayageError} `NOT_FOUND`, `UNREACHABLE`, `TIMEOUT`, `IO`
   */
  static async download(
    api: GitLabApi,
    location: ArchiveLocation,
    temporary: string,
    { signal }: ContentOptions = {},
  ): Promise<DownloadedFile> {
    const folder = await onSpool(temporary, () => mkdtemp(join(temporary, 'drayage-')));
    let handle: FileHandle | undefined;
    try {
      const file = await onSpool(folder, () => open(join(folder, 'artifacts.zip'), 'wx+', 0o600));
      handle = file;
      const size = await api.retry.run(() => receive(api, location, file, signal), signal);
      return new DownloadedFile(folder, file, size, location.name);
    } catch (error) {
      await handle?.close();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async *read(
    start: number,
    length: number,
    { signal }: ContentOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for (let done = 0; done < length;) {
      signal?.throwIfAborted();
      const buffer = Buffer.allocUnsafeSlow(Math.min(READ_SIZE, length - done));
      const { bytesRead } = await onSpool(this.#folder, () =>
        this.#handle.read(buffer, 0, buffer.length, start + done),
      );
      if (bytesRead === 0) throw new DrayageError('TRUNCATED', `${this.name} ends early`, { url: this.name });
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function receive(
  api: GitLabApi,
  location: ArchiveLocation,
  file: FileHandle,
  signal: AbortSignal | undefined,
): Promise<number> {
  const reply = await location.get(undefined, { signal });
  const expected = Number(reply.header('content-length') ?? Number.NaN);
  // Bytes that an earlier attempt wrote further on are never read: the size is that of this attempt.
  let size = 0;
  try {
    for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
      signal?.throwIfAborted();
      if (Number.isNaN(expected)) currentBudget()?.spendUnsized(chunk.length);
      const position = size;
      await onSpool(location.name, () => writeAll(file, chunk, position));
      size += chunk.length;
      api.onReceived(chunk.length);
    }
  } catch (error) {
    signal?.throwIfAborted();
    drop(reply);
    throw networkError(location.name, error);
  }
  if (Number.isNaN(expected) || size === expected) return size;
  throw new DrayageError('UNREACHABLE', `${location.name} ended after ${size} of ${expected} bytes`, {
    url: location.name,
    expected,
    actual: size,
  });
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    done += (await file.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
  }
}

async function onSpool<T>(what: string, calls: () => Promise<T>): Promise<T> {
  try {
    return await calls();
  } catch (error) {
    const hint = 'free some space, or set TMPDIR to a folder with enough space';
    throw diskError(error, `cannot keep ${what} on disk`, { hint });
  }
}

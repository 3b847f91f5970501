import { ignoreErrors, onDisk } from '../disk/io-error.ts';
import { readFrom } from './blob-file.ts';
import type { StagedPlace } from './staged-blob.ts';
import { writeAll } from './staged-blob.ts';

/**
 * Writes bytes to their end into a temporary file, and then reads them back. The file has no name while it is used, so that
 * the system removes it when it is closed, or when the process ends.
 * @throws {@link DrayageError} `IO`; errors of `bytes`; `signal.reason`
 */
export async function* spool(
  { folder, name }: StagedPlace,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const path = folder.pathOf(name);
  const handle = await onDisk(path, 'make', () => folder.create(name, 0o600));
  try {
    await ignoreErrors(() => folder.remove(name));
    let size = 0;
    for await (const chunk of bytes) {
      const position = size;
      await onDisk(path, 'write', () => writeAll(handle, [chunk], position));
      size += chunk.length;
    }
    yield* readFrom({ path, handle, size }, 0, signal);
  } finally {
    await handle.close();
  }
}

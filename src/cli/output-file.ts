import { randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ignoreErrors, linkError, onDisk } from '../disk/io-error.ts';
import { inFolderOf } from './workspace.ts';

/**
 * Writes a file that appears under its name when it is complete, and replaces an existing one. Only a regular file is
 * replaced: a device or a pipe would be gone.
 * @param mode its permissions; default: what the process gives to a new file
 * @throws {@link DrayageError} `LINK` for a path through a link in the workspace, and for a device or a pipe; `IO`
 */
export async function writeFileWhole(
  path: string,
  bytes: Readable,
  signal: AbortSignal,
  mode?: number,
): Promise<void> {
  await assertReplaceable(path);
  await inFolderOf(path, async (folder, name) => {
    const temporary = `${name}.${randomUUID()}.partial`;
    const handle = await onDisk(path, 'write', () => folder.create(temporary, mode ?? 0o666));
    try {
      if (mode !== undefined) await onDisk(path, 'write', () => handle.chmod(mode));
      await pipeline(bytes, intoFile(path, handle), { signal });
      await handle.close();
      await onDisk(path, 'write', () => folder.move(temporary, folder, name));
    } catch (error) {
      await ignoreErrors(() => handle.close());
      await ignoreErrors(() => folder.remove(temporary));
      throw error;
    }
  });
}

async function assertReplaceable(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined || stats.isFile() || stats.isDirectory()) return;
  throw linkError(path, 'no regular file');
}

function intoFile(path: string, handle: FileHandle): Writable {
  return new Writable({
    write: (chunk: Uint8Array, _, done) => {
      onDisk(path, 'write', () => handle.writeFile(chunk)).then(() => done(), done);
    },
  });
}

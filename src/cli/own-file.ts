import { lstat, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { onDisk } from '../disk/io-error.ts';
import { DrayageError } from '../index.ts';
import { readGiven } from './given-file.ts';
import { inFolderOf, isInWorkspace } from './workspace.ts';

/** The largest file that is read, in bytes. */
const MAX_SIZE = 16 * 1024 * 1024;

/** A file that was read, and the permissions of it. */
export interface OwnFile {
  bytes: Buffer;
  mode: number;
}

/**
 * Reads a file that drayage writes itself, such as a report of an earlier command. Outside the workspace it may be a
 * link.
 * @returns undefined if it does not exist
 * @throws {@link DrayageError} `LINK` for anything other than a regular file of its own; `LIMIT`, `IO`
 */
export async function readOwnFile(path: string): Promise<OwnFile | undefined> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isFile() === true && !(await isInWorkspace(resolve(path))))
    return { bytes: await readGiven(path, 'the file'), mode: stats.mode & 0o777 };
  if ((await lstat(path).catch(() => undefined)) === undefined) return undefined;
  return inFolderOf(path, async (folder, name) => {
    await using handle = await folder.openFile(name);
    if (handle === undefined) return undefined;
    return await onDisk(path, 'read', async () => {
      const { mode, size } = await handle.stat();
      if (size > MAX_SIZE) throw tooLarge(path, size);
      return { bytes: await handle.readFile(), mode: mode & 0o777 };
    });
  });
}

function tooLarge(path: string, size: number): DrayageError {
  return new DrayageError('LIMIT', `${path} has ${size} bytes, over the limit of ${MAX_SIZE}`, {
    path,
    expected: MAX_SIZE,
    actual: size,
  });
}

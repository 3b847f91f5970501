import { resolve } from 'node:path';
import { onDisk } from '../disk/io-error.ts';
import { lookAt, lookAtLink } from '../disk/look-at.ts';
import { readGiven, readHandle } from './given-file.ts';
import { inFolderOf, isInWorkspace } from './workspace.ts';

/** A file that was read, and the permissions of it. */
export interface OwnFile {
  bytes: Buffer;
  mode: number;
}

/**
 * Reads a file that drayage writes itself, such as a report of an earlier command. Outside the workspace it may be a
 * link.
 * @returns undefined if it does not exist
 * @throws {@link DrayageError} `LINK` for anything other than a regular file of its own; `LIMIT` above 16 MiB; `IO`
 */
export async function readOwnFile(path: string): Promise<OwnFile | undefined> {
  const stats = await lookAt(path);
  if (stats?.isFile() === true && !(await isInWorkspace(resolve(path))))
    return { bytes: await readGiven(path, 'the file'), mode: Number(stats.mode) & 0o777 };
  if ((await lookAtLink(path)) === undefined) return undefined;
  return inFolderOf(path, async (folder, name) => {
    await using handle = await folder.openFile(name);
    if (handle === undefined) return undefined;
    return await onDisk(path, 'read', async () => {
      const { mode } = await handle.stat();
      return { bytes: await readHandle(handle, { what: 'the file', path }), mode: mode & 0o777 };
    });
  });
}

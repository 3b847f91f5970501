import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { chmod, lstat, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../system-error.ts';
import { attempt, ifThere, linkError, onDisk, toDiskError } from './io-error.ts';

/**
 * Reads the state of a file or folder without following links.
 * @returns undefined if nothing is there
 * @throws {@link DrayageError} `LINK` for a symbolic link, a hard link, or another kind of file; `IO`
 */
export async function look(path: string, kind: 'file' | 'folder'): Promise<BigIntStats | undefined> {
  const stats = await ifThere(path, 'look at', () => lstat(path, { bigint: true }));
  if (stats !== undefined) assertKind(path, kind, stats);
  return stats;
}

/**
 * Reads the state of a file below a folder. Checks every step of the path, beginning with the folder itself, and
 * follows no link.
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function lookBelow(root: string, names: readonly string[]): Promise<BigIntStats | undefined> {
  let path = root;
  for (const name of names) {
    if ((await look(path, 'folder')) === undefined) return undefined;
    path = join(path, name);
  }
  return look(path, 'file');
}

/**
 * Opens a file below a folder for reading, without following links.
 * @returns undefined if nothing is there
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function openBelow(root: string, names: readonly string[]): Promise<FileHandle | undefined> {
  if ((await lookBelow(root, names)) === undefined) return undefined;
  const path = join(root, ...names);
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await ifThere(path, 'open', () => open(path, flags));
  if (handle === undefined) return undefined;
  try {
    assertKind(path, 'file', await handle.stat({ bigint: true }));
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Makes a folder, readable by everyone, unless it exists.
 * @returns whether it was made
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function ensureFolder(path: string): Promise<boolean> {
  if ((await look(path, 'folder')) !== undefined) return false;
  try {
    await mkdir(path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw toDiskError(error, 'make the folder', path);
    await look(path, 'folder');
    return false;
  }
  await attempt(() => chmod(path, 0o755));
  return true;
}

/** Makes a folder's entries survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  await onDisk(path, 'sync the folder', async () => {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } catch (error) {
      // Some network file systems do not support this call.
      if (!['EINVAL', 'ENOTSUP', 'ENOSYS'].includes(systemCode(error) ?? '')) throw error;
    } finally {
      await handle.close();
    }
  });
}

function assertKind(path: string, kind: 'file' | 'folder', stats: BigIntStats): void {
  if (stats.isSymbolicLink()) throw linkError(path, 'a symbolic link');
  if (kind === 'folder' && !stats.isDirectory()) throw linkError(path, 'no folder');
  if (kind === 'file' && !stats.isFile()) throw linkError(path, 'no regular file');
  if (kind === 'file' && stats.nlink > 1n)
    throw linkError(path, 'a hard link (another name leads to the same file)');
}

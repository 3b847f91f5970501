import type { BigIntStats, PathLike } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { linkError } from './io-error.ts';

/** What a name is expected to be. */
export type Kind = 'file' | 'folder';

/** @throws {@link DrayageError} `LINK` for anything other than a file of its own, or a folder */
export function assertKind(path: string, kind: Kind, stats: BigIntStats): void {
  if (stats.isSymbolicLink()) throw linkError(path, 'a symbolic link');
  if (kind === 'folder' && !stats.isDirectory()) throw linkError(path, 'no folder');
  if (kind === 'file' && !stats.isFile()) throw linkError(path, 'no regular file');
  if (kind === 'file' && stats.nlink > 1n)
    throw linkError(path, 'a hard link (another name leads to the same file)');
}

/**
 * @param way how the system reaches it
 * @throws {@link DrayageError} `LINK` for anything other than a folder; the system's error
 */
export async function assertFolder(way: PathLike, path: string, follow: boolean): Promise<void> {
  assertKind(path, 'folder', await (follow ? stat : lstat)(way, { bigint: true }));
}

import { readFile } from 'node:fs/promises';
import { lookAt } from '../../disk/look-at.ts';
import { unlessAbsent } from '../../system-error.ts';

/**
 * Reads a file of the user's configuration; undefined if there is no such file.
 * @param message the error if it cannot be read
 * @throws {@link DrayageError} `IO`
 */
export async function readIfThere(path: string, message: string): Promise<Buffer | undefined> {
  return unlessAbsent(readFile(path), message, { path });
}

/**
 * Whether a file or folder is there.
 * @throws {@link DrayageError} `IO`
 */
export async function isThere(path: string): Promise<boolean> {
  return (await lookAt(path)) !== undefined;
}

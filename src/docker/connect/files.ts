import { access, readFile } from 'node:fs/promises';
import { diskError, isNoFile } from '../../system-error.ts';

/**
 * Reads a file of the user's configuration; undefined if there is no such file.
 * @param message the error if it cannot be read
 * @throws {@link DrayageError} `IO`
 */
export async function readIfThere(path: string, message: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isNoFile(error)) return undefined;
    throw diskError(error, message, { path });
  }
}

/** Whether a file or folder is there, and can be looked at. */
export async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

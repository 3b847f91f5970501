import { DrayageError } from '../errors.ts';
import { diskError, systemCode } from '../system-error.ts';

/**
 * Runs calls to the file system. A failure becomes an error that names the path.
 * @param action what was tried, as it follows "cannot": `write`, `make the folder`
 * @throws {@link DrayageError} `IO`; `LINK` for a symbolic link
 */
export async function onDisk<T>(path: string, action: string, calls: () => Promise<T>): Promise<T> {
  try {
    return await calls();
  } catch (error) {
    throw toDiskError(error, action, path);
  }
}

/** Like {@link onDisk}; undefined if there is no such file or folder. */
export async function ifThere<T>(
  path: string,
  action: string,
  calls: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await calls();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw toDiskError(error, action, path);
  }
}

/** Runs clean-up that may fail: a later sweep removes what stays behind. */
export async function ignoreErrors(calls: () => Promise<unknown>): Promise<void> {
  try {
    await calls();
  } catch {
    // Left for a later sweep.
  }
}

/** The error for something other than a regular file or folder. */
export function linkError(
  path: string,
  what: string,
  hint = 'name another place, or make a copy without links: cp -rL FROM TO',
): DrayageError {
  return new DrayageError('LINK', `${path} is ${what}: only regular files and folders are used here`, {
    path,
    hint,
  });
}

/** Turns a failed call to the file system into an error. Returns other errors unchanged. */
export function toDiskError(error: unknown, action: string, path: string): unknown {
  if (systemCode(error) === 'ELOOP') return linkError(path, 'a symbolic link');
  return diskError(error, `cannot ${action} ${path}`, { path });
}

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DrayageError } from '../index.ts';

/** The path, or the nearest folder above it that exists. */
export async function nearest(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : nearest(dirname(path));
}

/**
 * @param option names another folder, for the hint
 * @throws {@link DrayageError} `IO`
 */
export async function assertWritable(path: string, option: string): Promise<void> {
  try {
    await access(path, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new DrayageError('IO', `${path} is not writable`, {
      path,
      cause,
      hint: `choose another folder with ${option}, or run as its owner`,
    });
  }
}

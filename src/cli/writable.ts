import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import { lookAt } from '../disk/look-at.ts';
import { diskError } from '../system-error.ts';

/**
 * The path, or the nearest folder above it that exists.
 * @throws {@link DrayageError} `IO`
 */
export async function nearest(path: string): Promise<string> {
  return (await lookAt(path)) !== undefined || dirname(path) === path ? path : nearest(dirname(path));
}

/**
 * @param option names another folder, for the hint
 * @throws {@link DrayageError} `IO`
 */
export async function assertWritable(path: string, option: string): Promise<void> {
  try {
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    const hint = `choose another folder with ${option}, or run as its owner`;
    throw diskError(error, `${path} is not writable`, { path, hint });
  }
}

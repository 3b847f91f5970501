import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../system-error.ts';
import { onDisk } from './io-error.ts';

/**
 * Makes a folder and its parents, unless they exist.
 * @param mode the permissions of those that are made
 * @returns the outermost folder that was made; undefined if there was none to make
 * @throws {@link DrayageError} `IO`
 */
export async function makeFolders(path: string, mode?: number): Promise<string | undefined> {
  return onDisk(path, 'make the folder', async () => {
    try {
      return await mkdir(path, { recursive: true, mode });
    } catch (error) {
      // Node reports whatever refuses the outermost of several folders as ENOENT.
      if (systemCode(error) === 'ENOENT') await makeOutermost(path, mode);
      throw error;
    }
  });
}

/** Makes the outermost missing folder of a path, for the error that the system has for it. */
async function makeOutermost(path: string, mode: number | undefined): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeOutermost(dirname(path), mode);
  }
}

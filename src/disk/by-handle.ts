import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { systemCode } from '../system-error.ts';

let reachesByHandle: Promise<boolean> | undefined;

/**
 * Whether this system resolves names relative to a handle.
 * @throws the system's error if too many files are open
 */
export async function canReachByHandle(): Promise<boolean> {
  reachesByHandle ??= probe();
  try {
    return await reachesByHandle;
  } catch (error) {
    reachesByHandle = undefined;
    throw error;
  }
}

/** @throws the system's error if there are too many open files: that says nothing about the system */
async function probe(): Promise<boolean> {
  try {
    const handle = await open('/proc/self', constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      // Only a folder has names in it, so this also proves that the handle leads to it.
      return (await lstat(`/proc/self/fd/${handle.fd}/fd`)).isDirectory();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (['EMFILE', 'ENFILE', 'ENOMEM'].includes(systemCode(error) ?? '')) throw error;
    return false;
  }
}

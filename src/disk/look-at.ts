import type { BigIntStats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { unlessAbsent } from '../system-error.ts';

/**
 * What is at a path that the user named, also behind links; undefined if nothing is. What cannot be looked at is not
 * absent.
 * @throws {@link DrayageError} `IO`
 */
export async function lookAt(path: string): Promise<BigIntStats | undefined> {
  return unlessAbsent(stat(path, { bigint: true }), `cannot look at ${path}`, { path });
}

/** As {@link lookAt}, but a link is what it is. */
export async function lookAtLink(path: string): Promise<BigIntStats | undefined> {
  return unlessAbsent(lstat(path, { bigint: true }), `cannot look at ${path}`, { path });
}

import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt } from './io-error.ts';

/** Where blobs are written before they are whole. */
export const PARTIAL = 'partial';

/** A file that is being written and has not grown for so long, in milliseconds, was left behind. */
const STALE_AFTER = 3_600_000;

interface CachedFile {
  path: string;
  size: number;
  used: number;
}

/**
 * Removes the blobs that were not used for the longest time until the rest is within bounds. Somebody who reads one at the
 * moment goes on reading it.
 * @param now milliseconds since 1970
 */
export async function sweepCache(root: string, maxBytes: number, now: number): Promise<void> {
  for (const { path, used } of await filesIn(join(root, PARTIAL)))
    if (now - used > STALE_AFTER) await attempt(() => rm(path, { force: true }));
  const blobs: CachedFile[] = [];
  for (const algorithm of await readdir(join(root, 'blobs')))
    blobs.push(...(await filesIn(join(root, 'blobs', algorithm))));
  let total = blobs.reduce((sum, { size }) => sum + size, 0);
  for (const { path, size } of blobs.toSorted((a, b) => a.used - b.used)) {
    if (total <= maxBytes) return;
    await attempt(() => rm(path, { force: true }));
    total -= size;
  }
}

async function filesIn(folder: string): Promise<CachedFile[]> {
  const files: CachedFile[] = [];
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const path = join(folder, name);
    await attempt(async () => {
      const stats = await lstat(path);
      files.push({ path, size: stats.size, used: stats.mtimeMs });
    });
  }
  return files;
}

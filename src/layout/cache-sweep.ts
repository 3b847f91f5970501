import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt } from '../disk/io-error.ts';

/** The folder of blobs that are being written. */
export const PARTIAL = 'partial';

/** A partial file that has not grown for this long, in milliseconds, is abandoned. */
const STALE_AFTER = 3_600_000;

interface CachedFile {
  path: string;
  size: number;
  used: number;
}

/**
 * Removes the least recently used blobs until the rest is within the limit. A blob that is being read stays readable.
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

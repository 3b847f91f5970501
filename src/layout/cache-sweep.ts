import { inFolder, namesBelow, removeBelow } from '../disk/below.ts';
import { ignoreErrors } from '../disk/io-error.ts';
import { isDigest } from '../oci/digest.ts';
import { isAlive } from './heartbeat.ts';

/** The folder of blobs that are being written. */
export const PARTIAL = 'partial';

/** A partial file that has not grown for this long, in milliseconds, is abandoned. */
const STALE_AFTER = 3_600_000;

const isPartial = (name: string): boolean => /^[0-9a-f]{16}$/.test(name);

interface CachedFile {
  names: readonly string[];
  size: number;
  used: number;
}

/**
 * Removes the least recently used blobs until the rest is within the limit. A blob that is being read stays readable.
 * Files with other names than those of a cache stay.
 * @param now milliseconds since 1970
 */
export async function sweepCache(cache: string, maxBytes: number, now: number): Promise<void> {
  for (const { names, used } of await filesIn(cache, [PARTIAL], isPartial))
    if (!isAlive(used, now, STALE_AFTER)) await ignoreErrors(() => removeBelow(cache, names));
  const blobs: CachedFile[] = [];
  for (const algorithm of await namesBelow(cache, ['blobs'])) {
    const isBlob = (name: string): boolean => isDigest(`${algorithm}:${name}`);
    blobs.push(...(await filesIn(cache, ['blobs', algorithm], isBlob)));
  }
  let total = blobs.reduce((sum, { size }) => sum + size, 0);
  // A time in the future must not keep a blob for ever.
  const lastUse = ({ used }: CachedFile): number => (isAlive(used, now, Infinity) ? used : 0);
  for (const { names, size } of blobs.toSorted((a, b) => lastUse(a) - lastUse(b))) {
    if (total <= maxBytes) return;
    await ignoreErrors(() => removeBelow(cache, names));
    total -= size;
  }
}

/** The files in a folder of the cache; none if it is a link. */
async function filesIn(
  cache: string,
  folders: readonly string[],
  isOurs: (name: string) => boolean,
): Promise<CachedFile[]> {
  const files: CachedFile[] = [];
  await ignoreErrors(() =>
    inFolder(cache, folders, async (folder) => {
      for (const name of (await folder.names()).filter(isOurs))
        await ignoreErrors(async () => {
          const stats = await folder.stat(name);
          if (!stats.isDirectory())
            files.push({ names: [...folders, name], size: Number(stats.size), used: Number(stats.mtimeMs) });
        });
    }),
  );
  return files;
}

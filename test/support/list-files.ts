import { lstat, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** One file below a folder. */
export interface ListedFile {
  /** Relative to the folder. */
  path: string;
  size: number;
  modified: number;
}

/** All files below a folder, sorted by path, with what would change if one were written again. */
export async function listFiles(root: string): Promise<ListedFile[]> {
  const entries = await readdir(root, { withFileTypes: true, recursive: true });
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
  const listed = await Promise.all(
    files.map(async (path) => {
      const { size, mtimeMs } = await lstat(path);
      return { path: relative(root, path), size, modified: mtimeMs };
    }),
  );
  return listed.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

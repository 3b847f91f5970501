import { randomBytes } from 'node:crypto';
import type { Folder, Name } from './folder.ts';
import { ignoreErrors } from './io-error.ts';

/** Read, write and enter, for the owner. */
const ALL_OF_OWNER = 0o700;

/**
 * Removes a file, or a folder of our own with its content, whatever others put into it. A link is removed itself. What is deeper
 * is moved up first: so neither paths nor open folders grow with the depth.
 * Rejects with the system's error.
 */
export async function removeTree(folder: Folder, name: Name): Promise<void> {
  if (!(await unlockFolder(folder, name))) return folder.remove(name);
  await using tree = await folder.folder(name);
  if (tree !== undefined) await removeContent(tree);
  // Awaited here: a failure while the inner folder is being closed would have no handler.
  await folder.removeEmpty(name);
}

async function removeContent(tree: Folder): Promise<void> {
  const mark = randomBytes(8).toString('hex');
  const names: Name[] = await tree.rawNames();
  // Goes on with what is added on the way.
  for (const name of names) {
    if (await unlockFolder(tree, name)) {
      await using inner = await tree.folder(name);
      for (const below of (await inner?.rawNames()) ?? []) {
        if (inner === undefined || !(await unlockFolder(inner, below))) {
          await inner?.remove(below);
          continue;
        }
        const moved = `${mark}-${names.length}`;
        await inner.move(below, tree, moved);
        names.push(moved);
      }
      await tree.removeEmpty(name);
    } else {
      await tree.remove(name);
    }
  }
}

/**
 * Lets the owner of a folder remove its content: an artifact may bring along read-only ones.
 * @returns false for what is no folder
 */
async function unlockFolder(folder: Folder, name: Name): Promise<boolean> {
  const stats = await folder.stat(name);
  if (!stats.isDirectory()) return false;
  if ((Number(stats.mode) & ALL_OF_OWNER) !== ALL_OF_OWNER) {
    // Through its handle, so that no link is followed. What belongs to somebody else stays as it is.
    await using opened = await folder.folder(name);
    await ignoreErrors(async () => opened?.setMode(ALL_OF_OWNER));
  }
  return true;
}

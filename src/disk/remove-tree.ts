import { randomBytes } from 'node:crypto';
import { DrayageError, isDrayageError } from '../errors.ts';
import { systemCode, systemReason } from '../system-error.ts';
import type { Folder, Name } from './folder.ts';
import { ignoreErrors } from './io-error.ts';

/** Read, write and enter, for the owner. */
const ALL_OF_OWNER = 0o700;

/**
 * Removes a file, or a folder of our own with its content, whatever others put into it. A link is removed itself. What is deeper
 * is moved up first: so neither paths nor open folders grow with the depth.
 * @throws {@link DrayageError} `IO` that names the folder if this user may not change it; otherwise the system's error
 */
export async function removeTree(folder: Folder, name: Name): Promise<void> {
  if (!(await unlockFolder(folder, name))) return folder.remove(name);
  await inFolder(folder, name, removeContent);
  // Awaited here: a failure while the inner folder is being closed would have no handler.
  await folder.removeEmpty(name);
}

async function removeContent(tree: Folder): Promise<void> {
  const mark = randomBytes(8).toString('hex');
  const names: Name[] = await tree.rawNames();
  // Goes on with what is added on the way.
  for (const name of names) {
    if (await unlockFolder(tree, name)) {
      await inFolder(tree, name, async (inner) => {
        for (const below of await inner.rawNames()) {
          if (!(await unlockFolder(inner, below))) {
            await inner.remove(below);
            continue;
          }
          const moved = `${mark}-${names.length}`;
          await inner.move(below, tree, moved);
          names.push(moved);
        }
      });
      await tree.removeEmpty(name);
    } else {
      await tree.remove(name);
    }
  }
}

/**
 * Lets the owner of a folder read it and remove its content: an artifact may bring along folders of any mode. What belongs to
 * somebody else stays as it is.
 * @returns false for what is no folder
 */
export async function unlockFolder(folder: Folder, name: Name): Promise<boolean> {
  const stats = await folder.stat(name);
  if (!stats.isDirectory()) return false;
  if ((Number(stats.mode) & ALL_OF_OWNER) !== ALL_OF_OWNER)
    await ignoreErrors(() => folder.setModeOf(name, ALL_OF_OWNER));
  return true;
}

/** Does something in a folder. If this user may not, the error names the folder and its owner. */
async function inFolder(outer: Folder, name: Name, work: (folder: Folder) => Promise<void>): Promise<void> {
  const { uid } = await outer.stat(name);
  const path = outer.pathOf(name);
  try {
    await using folder = await outer.folder(name);
    if (folder !== undefined) await work(folder);
  } catch (error) {
    const system = isDrayageError(error, 'IO') && error.facts.path === path ? error.facts.cause : error;
    const code = systemCode(system) ?? '';
    if (!['EACCES', 'EPERM'].includes(code)) throw error;
    throw new DrayageError(
      'IO',
      `cannot remove what is in the folder ${path}, which belongs to user ${uid}: ${systemReason(system)}`,
      { path, actual: code, hint: 'run this as the owner of that folder, or as root' },
    );
  }
}

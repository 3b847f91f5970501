import { randomBytes } from 'node:crypto';
import { rmdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { DrayageError, isDrayageError } from '../errors.ts';
import { systemCode } from '../system-error.ts';
import { inFolder } from '../disk/below.ts';
import { Folder } from '../disk/folder.ts';
import { removeTree } from '../disk/remove-tree.ts';
import { makeFolders } from '../disk/make-folders.ts';
import { ignoreErrors, onDisk, toDiskError } from '../disk/io-error.ts';
import { INNER_HOME } from './layout-files.ts';

/** The prefix of the folders of transactions. */
export const PREFIX = 'tx-';
const ATTEMPTS = 100;

/** A possible staging home of a layout: the folder that its transactions share. It also contains the lock. */
export interface Home {
  parent: string;
  /** Whether the parent may be a link: what is above a layout is its user's. */
  follow: boolean;
  name: string;
}

/** The open folder of a transaction. */
export interface TransactionFolder {
  home: Home;
  shared: Folder;
  /** Its name in the home. */
  name: string;
  folder: Folder;
}

/** The possible staging homes of a layout: beside it, or in it. */
export function homesOf(layout: string): [outer: Home, inner: Home] {
  return [
    { parent: dirname(layout), follow: true, name: `.${basename(layout)}.drayage` },
    { parent: layout, follow: false, name: INNER_HOME },
  ];
}

/**
 * Runs work in a staging home.
 * @returns undefined if it does not exist
 * @throws {@link DrayageError} `LINK`, `IO`; errors of `work`
 */
export async function inHome<T>(home: Home, work: (shared: Folder) => Promise<T>): Promise<T | undefined> {
  await using parent = await Folder.open(home.parent, home);
  return parent && (await inFolder(parent, [home.name], work));
}

/** Removes a staging home if it is empty. */
export async function removeEmptyHome(home: Home): Promise<void> {
  await ignoreErrors(async () => {
    await using parent = await Folder.open(home.parent, home);
    await parent?.removeEmpty(home.name);
  });
}

/**
 * Makes `<home>/tx-<random>` in the first home that is writable and from which files can be moved into the layout.
 * @param remakeParents makes the parent folder of the layout again
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function makeTransactionFolder(
  layout: string,
  remakeParents: () => Promise<void>,
): Promise<TransactionFolder> {
  const [outer, inner] = homesOf(layout);
  await using target = await Folder.open(layout);
  // Awaited here: a failure while the folder is being closed would have no handler.
  if (target === undefined) return await makeIn(outer, remakeParents);
  if (!(await isOnDeviceOf(target, outer))) return await makeIn(inner);
  try {
    const made = await makeIn(outer, remakeParents);
    if (await canMove(made.folder, target)) return made;
    await removeTransactionFolder(made);
    return await makeIn(inner);
  } catch (error) {
    const refused = ['EACCES', 'EPERM', 'EROFS'].includes(diskCode(error) ?? '');
    if (!refused) throw error;
    return await makeIn(inner);
  }
}

/** Removes the folder of a transaction with its content, and its home if that is empty. */
export async function removeTransactionFolder({
  home,
  shared,
  name,
  folder,
}: TransactionFolder): Promise<void> {
  await ignoreErrors(() => removeTree(shared, name));
  await folder.close();
  await shared.close();
  await removeEmptyHome(home);
}

/** Makes a folder and its parents. Returns those that were made, innermost first. */
export async function makeParents(folder: string): Promise<string[]> {
  const first = await makeFolders(folder);
  if (first === undefined) return [];
  const made = [folder];
  for (let path = folder; path !== first && path !== dirname(path);) {
    path = dirname(path);
    made.push(path);
  }
  return made;
}

/** Removes those folders that are empty. */
export async function removeEmpty(folders: readonly string[]): Promise<void> {
  for (const folder of folders) await ignoreErrors(() => rmdir(folder));
}

async function isOnDeviceOf(target: Folder, { parent, follow }: Home): Promise<boolean> {
  await using folder = await Folder.open(parent, { follow });
  return await onDisk(
    parent,
    'look at',
    async () => (await folder?.state())?.dev === (await target.state()).dev,
  );
}

/**
 * Tests whether the file system moves files from a staging folder into the layout. It refuses between two mounts, even
 * of one device. The test uses a name that a layout may contain anyway.
 */
async function canMove(folder: Folder, target: Folder): Promise<boolean> {
  try {
    await folder.make('probe');
    await folder.move('probe', target, INNER_HOME);
    await ignoreErrors(() => target.removeEmpty(INNER_HOME));
  } catch (error) {
    await ignoreErrors(() => folder.removeEmpty('probe'));
    // Publishing reports any other failure, if anything is published.
    return systemCode(error) !== 'EXDEV';
  }
  return true;
}

async function makeIn(home: Home, remakeParents?: () => Promise<void>): Promise<TransactionFolder> {
  for (let i = 0; ; i++) {
    try {
      return await makeOnce(home, PREFIX + randomBytes(8).toString('hex'));
    } catch (error) {
      // Another process has just removed the empty folder, and perhaps its parents.
      if (diskCode(error) === 'ENOENT' && i < ATTEMPTS) {
        await remakeParents?.();
        continue;
      }
      await removeEmptyHome(home);
      throw toDiskError(error, 'make the folder', `${home.parent}/${home.name}`);
    }
  }
}

async function makeOnce(home: Home, name: string): Promise<TransactionFolder> {
  await using parent = await Folder.open(home.parent, home);
  if (parent === undefined) throw gone(home.parent);
  const { folder: shared } = await parent.ensure(home.name);
  try {
    await shared.make(name);
    const folder = await shared.folder(name);
    if (folder === undefined) throw gone(shared.pathOf(name));
    return { home, shared, name, folder };
  } catch (error) {
    await ignoreErrors(() => shared.removeEmpty(name));
    await shared.close();
    throw error;
  }
}

function gone(path: string): DrayageError {
  return new DrayageError('IO', `cannot open the folder ${path}: no such file or folder (ENOENT)`, {
    path,
    actual: 'ENOENT',
  });
}

/** The system's code of a failed call, also of one that was translated already. */
function diskCode(error: unknown): string | undefined {
  return isDrayageError(error, 'IO') ? String(error.facts.actual) : systemCode(error);
}

import { DrayageError, isDrayageError } from '../errors.ts';
import { Folder } from '../disk/folder.ts';
import { makeFolders } from '../disk/make-folders.ts';
import { ignoreErrors, onDisk } from '../disk/io-error.ts';

/** Only the owner has access. */
const MODE = 0o700;

/**
 * Makes the folder of a cache, unless it exists.
 * @param parent the folder that it is in
 * @param owners the IDs of the users that both may belong to; undefined: any
 * @throws {@link DrayageError} `UNSAFE`, `LINK`, `IO`
 */
export async function makeCacheFolder(
  parent: string,
  name: string,
  owners: readonly number[] | undefined,
): Promise<void> {
  await makeFolders(parent, MODE);
  await using outer = await Folder.open(parent);
  if (outer === undefined) throw gone(parent);
  await assertOwner(outer, owners);
  await using folder = (await outer.ensure(name, MODE)).folder;
  await assertOwner(folder, owners);
  await ignoreErrors(() => folder.setMode(MODE));
}

/**
 * Opens a folder of a cache, and makes it if it does not exist. A link in its place is removed; what it leads to stays.
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function makeOwn(outer: Folder, name: string): Promise<Folder> {
  try {
    return (await outer.ensure(name, MODE)).folder;
  } catch (error) {
    const isLink = isDrayageError(error, 'LINK') && (await outer.stat(name)).isSymbolicLink();
    if (!isLink) throw error;
    await outer.remove(name);
    return (await outer.ensure(name, MODE)).folder;
  }
}

async function assertOwner(folder: Folder, owners: readonly number[] | undefined): Promise<void> {
  if (owners === undefined) return;
  const uid = Number((await onDisk(folder.path, 'look at', () => folder.state())).uid);
  if (owners.includes(uid)) return;
  throw new DrayageError(
    'UNSAFE',
    `the folder ${folder.path} belongs to user ${uid}: nothing was read or written`,
    {
      path: folder.path,
      reason: 'CACHE_OWNER',
      expected: owners.join(', '),
      actual: uid,
      hint: `give it to user ${owners[0] ?? 0} (chown), or choose another folder`,
    },
  );
}

function gone(path: string): DrayageError {
  return new DrayageError('IO', `the folder ${path} was removed meanwhile`, { path, actual: 'ENOENT' });
}

import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Folder } from './folder.ts';
import { ifThere, toDiskError } from './io-error.ts';
import type { Kind } from './kind.ts';

/** A folder: open, or a path at which it is opened for each use. The last step of the path must not be a link. */
export type Root = string | Folder;

/** The path of what is below a folder, for messages. */
export function pathBelow(root: Root, names: readonly string[]): string {
  return join(typeof root === 'string' ? root : root.path, ...names);
}

/**
 * Runs work in a folder below another one. Every step is opened without following links.
 * @returns undefined if there is no such folder
 * @throws {@link DrayageError} `LINK`, `IO`; errors of `work`
 */
export async function inFolder<T>(
  root: Root,
  names: readonly string[],
  work: (folder: Folder) => Promise<T>,
): Promise<T | undefined> {
  let folder = typeof root === 'string' ? await Folder.open(root) : root;
  try {
    for (const name of names) {
      const outer = folder;
      folder = await outer?.folder(name);
      if (outer !== root) await outer?.close();
    }
    return folder && (await work(folder));
  } finally {
    if (folder !== root) await folder?.close();
  }
}

/**
 * The same in a folder that must exist.
 * @throws {@link DrayageError} `IO` if it does not; `LINK`; errors of `work`
 */
export async function inExisting<T>(
  root: Root,
  names: readonly string[],
  work: (folder: Folder) => Promise<T>,
): Promise<T> {
  const done = await inFolder(root, names, async (folder) => ({ result: await work(folder) }));
  if (done !== undefined) return done.result;
  const gone = Object.assign(new Error('no such folder'), { code: 'ENOENT' });
  throw toDiskError(gone, 'open the folder', pathBelow(root, names));
}

/**
 * The state of a file below a folder.
 * @returns undefined if nothing is there
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function lookBelow(
  root: Root,
  names: readonly string[],
  kind: Kind = 'file',
): Promise<BigIntStats | undefined> {
  return inParent(root, names, (folder, name) => folder.look(name, kind));
}

/**
 * Opens a file below a folder for reading.
 * @returns undefined if nothing is there
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function openBelow(root: Root, names: readonly string[]): Promise<FileHandle | undefined> {
  return inParent(root, names, (folder, name) => folder.openFile(name));
}

/**
 * Removes a file below a folder, if it is there. A link is removed itself.
 * @throws {@link DrayageError} `LINK` for a link on the way to it; `IO`
 */
export async function removeBelow(root: Root, names: readonly string[]): Promise<void> {
  await inParent(root, names, (folder, name) =>
    ifThere(folder.pathOf(name), 'remove', () => folder.remove(name)),
  );
}

/**
 * The names in a folder; none if it does not exist.
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function namesBelow(root: Root, names: readonly string[]): Promise<string[]> {
  return (await inFolder(root, names, listNames)) ?? [];
}

async function listNames(folder: Folder): Promise<string[] | undefined> {
  return ifThere(folder.path, 'read the folder', () => folder.names());
}

async function inParent<T>(
  root: Root,
  names: readonly string[],
  work: (folder: Folder, name: string) => Promise<T>,
): Promise<T | undefined> {
  return inFolder(root, names.slice(0, -1), (folder) => work(folder, names.at(-1) ?? ''));
}

import type { BigIntStats } from 'node:fs';
import { dirname, isAbsolute, join, normalize, parse, resolve, sep } from 'node:path';
import { inExisting } from '../disk/below.ts';
import { linkError } from '../disk/io-error.ts';
import { lookAt, lookAtLink } from '../disk/look-at.ts';
import { Folder } from '../disk/folder.ts';
import { workspaceOf } from './ci.ts';

/**
 * Refuses a path through a link in the working folder or in the job's workspace: a restored artifact may contain a link
 * instead of a folder. Steps outside may be links.
 * @throws {@link DrayageError} `LINK`
 */
export async function refuseLinks(path: string): Promise<void> {
  for (const step of isAbsolute(path) ? await stepsInWorkspace(path) : stepsOf(normalize(path))) {
    const stats = await lookAtLink(step);
    if (stats === undefined) return;
    if (stats.isSymbolicLink()) throw linkError(step, 'a symbolic link');
  }
}

/**
 * Runs work in the folder of an output file. In the workspace, every step is opened without following
 * links.
 * @param work gets the folder, and the name of the file in it
 * @throws {@link DrayageError} `LINK`, `IO`; errors of `work`
 */
export async function inFolderOf<T>(
  path: string,
  work: (folder: Folder, name: string) => Promise<T>,
): Promise<T> {
  await refuseLinks(path);
  const [root = dirname(resolve(path)), ...rest] = await anchorOf(resolve(path));
  await using base = await Folder.open(root, { follow: true });
  const names = (rest.length > 0 ? rest : [resolve(path)]).map((step) => parse(step).base);
  return await inExisting(base ?? root, names.slice(0, -1), async (folder) =>
    work(folder, names.at(-1) ?? ''),
  );
}

/** Whether an absolute path is below the working folder or the job's workspace. */
export async function isInWorkspace(path: string): Promise<boolean> {
  return (await anchorOf(path)).length > 0;
}

/** The steps of an absolute path below the workspace; none if it is elsewhere. */
async function stepsInWorkspace(path: string): Promise<string[]> {
  return (await anchorOf(path)).slice(1);
}

/** The workspace as the path spells it, then the path's steps below it; nothing if it is elsewhere. */
async function anchorOf(path: string): Promise<string[]> {
  const roots = await workspaces();
  const steps = stepsOf(path);
  for (const [i, step] of steps.slice(0, -1).entries()) {
    const stats = await lookAt(step);
    if (stats === undefined) return [];
    // Folders are compared themselves, because their paths have several spellings.
    if (roots.some(({ dev, ino }) => dev === stats.dev && ino === stats.ino)) return steps.slice(i);
  }
  return [];
}

/** The working folder and the job's workspace. The root of the file system is neither. */
async function workspaces(): Promise<BigIntStats[]> {
  const named = [process.cwd(), workspaceOf(process.env) ?? ''];
  const found: BigIntStats[] = [];
  for (const path of named.filter((one) => one !== '' && one !== parse(one).root)) {
    const stats = await lookAt(path);
    if (stats !== undefined) found.push(stats);
  }
  return found;
}

/** `a/b/c` -> `a`, `a/b`, `a/b/c`. */
function stepsOf(path: string): string[] {
  const { root } = parse(path);
  const names = path
    .slice(root.length)
    .split(sep)
    .filter((name) => name !== '');
  const steps = names.map((_, i) => join(root, ...names.slice(0, i + 1)));
  return root === '' ? steps : [root, ...steps];
}

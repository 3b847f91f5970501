import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { OpenLayoutOptions } from '../index.ts';
import { DrayageError, isDrayageError, Layout } from '../index.ts';
import { isGitLab, readIds } from './ci.ts';
import type { Context } from './context.ts';
import { diskError, systemCode } from '../system-error.ts';
import { parseAge } from './quantities.ts';
import { folderOf } from './notation.ts';
import { HOME, isRestored } from './restored.ts';
import { refuseLinks } from './workspace.ts';

/** The layout that a job saves into: its own, so that the artifacts of several jobs never overwrite each other. */
export function defaultLayout(env: Context['env']): string {
  return join(HOME, readIds(env).jobId ?? 'images');
}

/** The layout of this name below `.drayage`. */
export function layoutOf(name: string): string {
  return join(HOME, name);
}

/** The option of commands that change layouts. */
export interface LockTimeoutOptions {
  lockTimeout?: string;
}

/**
 * Opens the layout to save into, `DIR` or `oci:DIR`. Makes it if there is none.
 * @throws {@link DrayageError} `USAGE` if it is not a layout; `UNSAFE`, `MALFORMED`, `LINK`, `IO`
 */
export async function createLayout(
  text: string,
  context: Context,
  options: LockTimeoutOptions,
): Promise<Layout> {
  const path = folderOf(text);
  await refuseLinks(path);
  return Layout.create(path, openOptions(context, options));
}

/**
 * Opens a layout that a builder wrote, to save its images where they are.
 * @throws {@link DrayageError} `MALFORMED`, `LINK`, `IO`
 */
export async function adoptLayout(
  text: string,
  context: Context,
  options: LockTimeoutOptions,
): Promise<Layout> {
  const path = folderOf(text);
  await refuseLinks(path);
  return Layout.adopt(path, openOptions(context, options));
}

/**
 * Opens the named layouts, `DIR` or `oci:DIR`, or every one below `.drayage`.
 * @throws {@link DrayageError} `USAGE` if one is not a layout; and as {@link openLayout} does
 */
export async function openLayouts(
  texts: readonly string[],
  context: Context,
  options: LockTimeoutOptions = {},
): Promise<Layout[]> {
  const chosen = texts.length > 0 ? texts.map(folderOf) : await findLayouts(context);
  const layouts = [];
  for (const path of chosen) layouts.push(await openLayout(path, context, options));
  return layouts;
}

/**
 * Opens the layout in a folder.
 * @throws {@link DrayageError} `NOT_FOUND`, `MALFORMED`, `LINK`, `IO`; for what the runner restores, the error explains what
 * may be wrong with artifacts
 */
export async function openLayout(
  path: string,
  context: Context,
  options: LockTimeoutOptions = {},
): Promise<Layout> {
  await refuseLinks(path);
  try {
    return await Layout.open(path, openOptions(context, options));
  } catch (error) {
    const isOfFolder = isDrayageError(error, 'NOT_FOUND', 'MALFORMED') && error.facts.path === resolve(path);
    // A hint says what the folder is instead of a layout.
    if (isOfFolder && error.facts.hint !== undefined) throw error;
    const { explainDamage, notShipped, notThere } = await import('./artifact-errors.ts');
    if (isOfFolder && isRestored(path, context)) throw notShipped(path, `no layout in ${path}`);
    if (isOfFolder && error.code === 'NOT_FOUND') throw notThere(error, path, context);
    throw await explainDamage(error, [{ path: resolve(path) }], context);
  }
}

function openOptions(
  { signal, onProgress }: Context,
  { lockTimeout }: LockTimeoutOptions,
): OpenLayoutOptions {
  const timeout = lockTimeout === undefined ? undefined : parseAge(lockTimeout, 'a time to wait');
  return { signal, onProgress, lockTimeout: timeout };
}

/**
 * The layouts below `.drayage`: at least one. A link there is refused, wherever it leads: an artifact may have brought it.
 * @param but a folder that does not count
 * @throws {@link DrayageError} `NOT_FOUND`, `LINK`, `IO`
 */
export async function findLayouts(context: Context, but?: string): Promise<string[]> {
  await refuseLinks(HOME);
  const entries = await listHome();
  for (const entry of entries) if (entry.isSymbolicLink()) await refuseLinks(join(HOME, entry.name));
  const isLayout = entries.some((entry) => entry.isFile() && entry.name === 'oci-layout');
  const folders = entries.filter(({ name }) => !name.startsWith('.') && !(isLayout && name === 'blobs'));
  const below = folders.filter((entry) => entry.isDirectory()).map((entry) => join(HOME, entry.name));
  // Somebody may have saved into the folder of layouts itself.
  const paths = [...(isLayout ? [HOME] : []), ...below.toSorted()];
  const counting = paths.filter((path) => but === undefined || resolve(path) !== resolve(but));
  if (counting.length > 0) return counting;
  const message = `no layout below ${HOME}${paths.length > 0 ? `, except ${paths.join()}` : ''}`;
  if (isGitLab(context)) throw (await import('./artifact-errors.ts')).notShipped(HOME, message);
  throw new DrayageError('NOT_FOUND', message, {
    path: HOME,
    hint: 'name a layout, or make one with drayage save',
  });
}

/** What is in `.drayage`; nothing if there is no such folder. What cannot be read is never taken for absent. */
async function listHome(): Promise<Dirent[]> {
  try {
    return await readdir(HOME, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw diskError(error, `cannot read the folder ${HOME}`, { path: HOME });
  }
}

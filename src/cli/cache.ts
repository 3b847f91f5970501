import { join } from 'node:path';
import { BlobCache, isDrayageError } from '../index.ts';
import { assertOwnCache, cacheOwners } from './cache-owner.ts';
import { readIds } from './ci.ts';
import type { Context } from './context.ts';
import { refuseLinks } from './workspace.ts';
import { parseSize } from './quantities.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';
import { assertWritable } from './writable.ts';

/** The options of the cache folder. */
export interface CacheOptions {
  cache?: string;
  cacheScope?: 'project' | 'shared';
  cacheSize?: string;
}

/** A cache, open until it is closed. */
export interface OpenCache extends AsyncDisposable {
  cache: BlobCache;
}

/**
 * Opens the cache that `--cache` names: this project's folder in it, or the shared one. If the file system refuses that,
 * a line says so, and the run goes on as if `--cache` were absent: then with a folder that is removed with the command, since
 * a layer that is read twice, to know its uncompressed size before it is sent, should be fetched once. A cache that can be
 * read but not written is read, and a line says so, too.
 * @throws {@link DrayageError} `UNSAFE` for a folder of somebody else; `LINK`
 */
export async function openCache(
  options: CacheOptions,
  context: Pick<Context, 'env' | 'onProgress'>,
  user: number | undefined = process.geteuid?.(),
): Promise<OpenCache> {
  const { cache: folder } = options;
  const named = folder === undefined ? undefined : await openKept(folder, options, { context, user });
  if (named !== undefined) return { cache: named, [Symbol.asyncDispose]: () => named[Symbol.asyncDispose]() };
  const temporary = await makeTemporaryFolder();
  return {
    cache: await BlobCache.open(temporary.path, {
      maxBytes: Number.MAX_SAFE_INTEGER,
      isTemporary: true,
      now: Date.now,
    }),
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

/** The folder that `--cache` names, the part of it that this job uses, and its maximum size. */
export function kept(
  folder: string,
  { cacheScope = 'project', cacheSize }: CacheOptions,
  env: Context['env'],
): { folder: string; path: string; maxBytes: number | undefined } {
  const { projectId } = readIds(env);
  const project = projectId === undefined ? 'no-project' : `project-${projectId}`;
  return {
    folder,
    path: join(folder, cacheScope === 'shared' ? 'shared' : project),
    maxBytes: cacheSize === undefined ? undefined : parseSize(cacheSize),
  };
}

/** @returns undefined if the file system refuses it */
async function openKept(
  named: string,
  options: CacheOptions,
  { context, user }: { context: Pick<Context, 'env' | 'onProgress'>; user: number | undefined },
): Promise<BlobCache | undefined> {
  const { folder, path, maxBytes } = kept(named, options, context.env);
  await refuseLinks(folder);
  try {
    for (const place of [folder, path]) await assertOwnCache(place, context, user);
    const owners = await cacheOwners(context, user);
    const cache = await BlobCache.open(path, { maxBytes, now: Date.now, owners });
    await assertWritable(path, '--cache').catch((error: Error) =>
      note(context, `the cache is only read: ${error.message}`),
    );
    return cache;
  } catch (error) {
    if (!isDrayageError(error, 'IO')) throw error;
    note(context, `the cache is not used: ${error.message}`);
    return undefined;
  }
}

function note({ onProgress }: Pick<Context, 'onProgress'>, message: string): void {
  onProgress({ kind: 'note', message });
}

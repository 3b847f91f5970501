import { join } from 'node:path';
import { BlobCache } from '../index.ts';
import { assertOwnCache, cacheOwners } from './cache-owner.ts';
import { readIds } from './ci.ts';
import type { Context } from './context.ts';
import { refuseLinks } from './workspace.ts';
import { parseSize } from './quantities.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

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
 * Opens the cache that `--cache` names: this project's folder in it, or the shared one. Without `--cache`, a folder
 * that is removed with the command: a layer that is read twice, to know its uncompressed size before it is sent, should
 * be fetched once.
 */
export async function openCache(
  options: CacheOptions,
  { env }: Pick<Context, 'env'>,
  user: number | undefined = process.geteuid?.(),
): Promise<OpenCache> {
  const { cache: folder } = options;
  if (folder !== undefined) {
    const cache = await openKept(folder, options, { env, user });
    return { cache, [Symbol.asyncDispose]: () => cache[Symbol.asyncDispose]() };
  }
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

async function openKept(
  named: string,
  options: CacheOptions,
  { env, user }: { env: Context['env']; user: number | undefined },
): Promise<BlobCache> {
  const { folder, path, maxBytes } = kept(named, options, env);
  await refuseLinks(folder);
  for (const place of [folder, path]) await assertOwnCache(place, { env }, user);
  return BlobCache.open(path, { maxBytes, now: Date.now, owners: await cacheOwners({ env }, user) });
}

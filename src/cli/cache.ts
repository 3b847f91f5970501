import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlobCache } from '../index.ts';
import { readIds } from './ci.ts';
import type { Context } from './context.ts';
import { parseSize } from './size.ts';

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
 * that is removed with the command: a layer is checked before its first byte goes to the daemon, so it is read twice,
 * but should be fetched once.
 */
export async function openCache(options: CacheOptions, { env }: Pick<Context, 'env'>): Promise<OpenCache> {
  const { cache: folder } = options;
  if (folder !== undefined) {
    const cache = await openKept(folder, options, env);
    return { cache, [Symbol.asyncDispose]: () => cache[Symbol.asyncDispose]() };
  }
  const temporary = await mkdtemp(join(tmpdir(), 'drayage-'));
  return {
    cache: await BlobCache.open(temporary, { maxBytes: Number.MAX_SAFE_INTEGER, now: Date.now }),
    [Symbol.asyncDispose]: () => rm(temporary, { recursive: true, force: true, maxRetries: 3 }),
  };
}

async function openKept(
  folder: string,
  { cacheScope = 'project', cacheSize }: CacheOptions,
  env: Context['env'],
): Promise<BlobCache> {
  const { projectId } = readIds(env);
  const project = projectId === undefined ? 'no-project' : `project-${projectId}`;
  const maxBytes = cacheSize === undefined ? undefined : parseSize(cacheSize);
  return BlobCache.open(join(folder, cacheScope === 'shared' ? 'shared' : project), {
    maxBytes,
    now: Date.now,
  });
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobCache } from '../index.ts';
import type { Context } from './context.ts';
import { library } from './library.ts';

/** The options of the cache folder. */
export interface CacheOptions {
  cache?: string;
  cacheScope?: 'project' | 'shared';
  cacheSize?: string;
}

const UNITS: Record<string, number> = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 };

/** A cache, open until it is closed. */
export interface OpenCache extends AsyncDisposable {
  cache: BlobCache;
}

/**
 * Opens the cache that `--cache` names: a folder of this project's own in it, unless projects are to share. Without one, a
 * folder that lasts as long as the command: a layer is checked before its first byte goes to the daemon, so it is read
 * twice, but should come over the network once.
 */
export async function openCache(options: CacheOptions, { env }: Pick<Context, 'env'>): Promise<OpenCache> {
  const { cache: folder } = options;
  if (folder !== undefined) {
    const cache = await openKept(folder, options, env);
    return { cache, [Symbol.asyncDispose]: () => cache[Symbol.asyncDispose]() };
  }
  const { BlobCache } = await library();
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
  const { BlobCache } = await library();
  const id = env['CI_PROJECT_ID'] ?? '';
  const project = /^\d+$/.test(id) ? `project-${id}` : 'no-project';
  const maxBytes = cacheSize === undefined ? undefined : await parseBytes(cacheSize);
  return BlobCache.open(join(folder, cacheScope === 'shared' ? 'shared' : project), {
    maxBytes,
    now: Date.now,
  });
}

/** `500MB`, `1.5 GB`, `2000000` */
async function parseBytes(text: string): Promise<number> {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?(?:([kMGT])B?|B)?$/.exec(text) ?? [];
  if (number !== undefined) return Math.round(Number(number) * (UNITS[unit] ?? 1));
  const { DrayageError } = await library();
  throw new DrayageError('USAGE', `not a size: ${text}`, { hint: 'write it such as 500MB or 10GB' });
}

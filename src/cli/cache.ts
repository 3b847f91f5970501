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

/** Opens the cache that `--cache` names: a folder of this project's own in it, unless projects are to share. */
export async function openCache(
  { cache, cacheScope = 'project', cacheSize }: CacheOptions,
  { env }: Pick<Context, 'env'>,
): Promise<BlobCache | undefined> {
  if (cache === undefined) return undefined;
  const { BlobCache } = await library();
  const id = env['CI_PROJECT_ID'] ?? '';
  const project = /^\d+$/.test(id) ? `project-${id}` : 'no-project';
  const maxBytes = cacheSize === undefined ? undefined : await parseBytes(cacheSize);
  return BlobCache.open(join(cache, cacheScope === 'shared' ? 'shared' : project), {
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

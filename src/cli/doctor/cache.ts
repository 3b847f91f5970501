import { kept } from '../cache.ts';
import { assertOwnCache } from '../cache-owner.ts';
import type { Check } from './check.ts';
import { examine } from './check.ts';
import type { DoctorInput } from './input.ts';
import { assertWritable, nearest } from '../writable.ts';

/** The folder of blobs that outlives jobs, and whether its owner is trusted. A save does not use it. */
export async function checkCache(
  { options, context }: DoctorInput,
  user: number | undefined = process.geteuid?.(),
): Promise<Check> {
  return examine('cache', 'warn', async (facts) => {
    if (options.cache === undefined) {
      facts['path'] = null;
      return { status: 'ok', message: 'no cache of blobs (--cache)', facts };
    }
    const { folder, path, maxBytes } = kept(options.cache, options, context.env);
    Object.assign(facts, { path, maxBytes: maxBytes ?? null });
    for (const place of [folder, path]) await assertOwnCache(place, context, user);
    await assertWritable(await nearest(path), '--cache');
    return { status: 'ok', message: `load and fetch keep blobs in ${path}`, facts };
  });
}

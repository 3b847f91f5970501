import type { PruneResult } from '../../index.ts';
import { prune } from '../../index.ts';
import { parseAge } from '../quantities.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import { count } from '../../text/count.ts';
import { formatBytes } from '../../text/bytes.ts';
import type { LockTimeoutOptions } from '../places.ts';
import { openLayouts } from '../places.ts';
import type { ImageOptions } from '../selection.ts';
import { NO_NAME } from '../../text/no-name.ts';

/** Options of `drayage prune`. */
export interface PruneCommandOptions extends CommonOptions, ImageOptions, LockTimeoutOptions {
  olderThan?: string;
  dryRun?: boolean;
}

/** `drayage prune` */
export async function pruneLayouts(
  paths: readonly string[],
  options: PruneCommandOptions,
  context: Context,
): Promise<Outcome> {
  const { image: images, olderThan, dryRun } = options;
  const before = olderThan === undefined ? undefined : new Date(Date.now() - parseAge(olderThan));
  const opened = await openLayouts(paths, context, options);
  const pruneOptions = { images, before, signal: context.signal };
  // What one layout refuses is found before another one changes.
  if (opened.length > 1 && dryRun !== true)
    for (const layout of opened) await prune({ ...pruneOptions, layout, dryRun: true });
  const layouts: PruneResult[] = [];
  for (const layout of opened) layouts.push(await prune({ ...pruneOptions, layout, dryRun }));
  return {
    json: { layouts },
    text: layouts.flatMap(describe),
    quiet: layouts.flatMap(({ removed }) => removed.map(({ name, digest }) => name ?? digest)),
  };
}

function describe({ layout, removed, referrers, freed, kept, dryRun }: PruneResult): string[] {
  const verb = dryRun ? 'would be removed' : 'removed';
  const rest = `${formatBytes(freed.bytes)} in ${count(freed.blobs, 'blob')} ${dryRun ? 'would be freed' : 'freed'}`;
  return [
    ...removed.map(({ name, digest }) => `${name ?? NO_NAME}: ${digest} ${verb}`),
    ...(referrers.length > 0 ? [`${count(referrers.length, 'referrer')} of these ${verb}`] : []),
    `${layout}: ${rest}, ${formatBytes(kept.bytes)} of blobs ${dryRun ? 'would stay' : 'stay'}`,
  ];
}

import type { MergedImage } from '../../index.ts';
import { DrayageError, merge } from '../../index.ts';
import { annotationsOf, readJob } from '../ci.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import { formatSeconds } from '../format.ts';
import { count } from '../../text/count.ts';
import { formatBytes } from '../../text/bytes.ts';
import type { LockTimeoutOptions } from '../places.ts';
import { createLayout, defaultLayout, findLayouts } from '../places.ts';
import type { VariableOptions } from '../reports.ts';
import { assertReportsWritable, reportPlan, writeReports } from '../reports.ts';
import type { JobOptions } from '../job-query.ts';
import type { SignatureOptions } from '../signature-options.ts';
import type { ImageOptions } from '../selection.ts';
import { readSelection } from '../selection.ts';
import { openNamed } from '../sources.ts';
import { NO_NAME } from '../../text/no-name.ts';

/** Options of `drayage merge`. */
export interface MergeCommandOptions
  extends
    CommonOptions,
    ImageOptions,
    Omit<SignatureOptions, keyof JobOptions>,
    VariableOptions,
    LockTimeoutOptions {
  out?: string;
}

/** `drayage merge` */
export async function mergeLayouts(
  paths: readonly string[],
  options: MergeCommandOptions,
  context: Context,
): Promise<Outcome> {
  const job = readJob(context.env);
  if (job !== undefined) await assertReportsWritable(job, context);
  const out = options.out ?? (job === undefined ? nowhere() : defaultLayout(context.env));
  const selection = await readSelection(options, context);
  const to = await createLayout(out, context, options);
  // The result of an earlier run is not merged.
  const named = paths.length > 0 ? paths : await findLayouts(context, to.path);
  await using from = await openNamed(named, context, { chosen: options.image });
  try {
    const result = await merge({
      ...selection,
      from: from.places,
      to,
      annotations: job && annotationsOf(job, context.env),
      onPlanned: job && reportPlan(to, job, options, context),
    });
    if (job !== undefined) await writeReports(to, job, options, context);
    const { copied, total } = result.bytes;
    return {
      json: result,
      text: [
        ...result.images.map(describeImage),
        `${result.layout}: ${count(result.images.length, 'image')} of ${count(from.layouts.length, 'layout')}, ${formatBytes(total)} of blobs, ${formatBytes(copied)} copied, in ${formatSeconds(result.seconds)}`,
      ],
      quiet: result.images.map(({ ref }) => ref),
    };
  } catch (error) {
    const { explainDamage } = await import('../artifact-errors.ts');
    throw await explainDamage(error, from.restored, context);
  }
}

function describeImage({ name, digest, platforms }: MergedImage): string {
  return `${name ?? NO_NAME}: ${digest}, ${platforms.join(', ')}`;
}

function nowhere(): never {
  throw new DrayageError('USAGE', 'no target layout given', { hint: 'name a folder with -o' });
}

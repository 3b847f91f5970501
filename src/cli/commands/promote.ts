import type { PromotedImage, PromoteResult, RegistryRepository } from '../../index.ts';
import { isDrayageError, promote } from '../../index.ts';
import { lazyArtifacts } from '../artifacts.ts';
import { openTrustedJobs } from '../base-jobs.ts';
import { readJob } from '../ci.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import { formatSeconds } from '../format.ts';
import { count } from '../../text/count.ts';
import { formatBytes } from '../../text/bytes.ts';
import { onlyMeaningful } from '../meaning.ts';
import type { PromotionOptions } from '../promotions.ts';
import { lazyReferences } from '../references.ts';
import { readPromotions } from '../promotions.ts';
import type { RegistryCommandOptions } from '../registries.ts';
import { openRegistries } from '../registries.ts';
import { onlyNamedHosts } from '../registry-hosts.ts';
import type { VariableOptions } from '../reports.ts';
import { assertReportsWritable, promotionReport, writePromotionReports } from '../reports.ts';
import type { SignatureOptions } from '../signature-options.ts';
import { readSelection } from '../selection.ts';
import type { SourceOptions } from '../source-options.ts';
import { openSources } from '../sources.ts';

/** Options of `drayage promote`. */
export interface PromoteCommandOptions
  extends
    CommonOptions,
    SourceOptions,
    SignatureOptions,
    VariableOptions,
    PromotionOptions,
    RegistryCommandOptions {
  from?: string[];
  ifAbsent?: boolean;
  mountFrom?: string[];
  attach?: string[];
  base?: string[];
  /** The daemon that has the images of references. */
  host?: string;
  baseJob?: string[];
  baseRef?: string[];
}

/** `drayage promote` */
export async function promoteImages(
  args: readonly string[],
  options: PromoteCommandOptions,
  context: Context,
): Promise<Outcome> {
  const job = readJob(context.env);
  if (job !== undefined) await assertReportsWritable(job, context);
  const promotions = readPromotions(args, options, context);
  const selection = await readSelection(options, context, { protectedRef: true });
  if (selection.authenticate === undefined)
    onlyMeaningful(
      options,
      ['attach'],
      'without a required signature',
      'then all attached documents are copied',
    );
  await using opened = await openRegistries(options, context);
  const { registries } = opened;
  const image = typeof promotions === 'function' ? [] : promotions.flatMap((one) => one.image ?? []);
  await using sources = await openSources(options.from ?? [], { ...options, image }, context, 'once');
  await using artifacts = lazyArtifacts(options, context);
  await using references = lazyReferences(options.host, context);
  const { baseJob, baseRef } = options;
  const baseJobs = await openTrustedJobs({ baseJob, baseRef }, artifacts, context);
  const mountFrom: RegistryRepository[] = [];
  for (const name of options.mountFrom ?? []) mountFrom.push(await registries.repository(name));
  let result: PromoteResult;
  try {
    result = await promote({
      ...selection,
      from: sources.places,
      promotions,
      registries,
      openBase: onlyNamedHosts((reference) => registries.repository(reference), options, context),
      openJob: artifacts.openJob,
      openReference: references.open,
      ifAbsent: options.ifAbsent,
      // A variable holds several, with spaces between them.
      attach: (options.attach ?? []).flatMap((text) => text.split(/\s+/)),
      // An image that cannot be reported is not promoted.
      onPlanned: async (images) => void (job && promotionReport(images, job.ci, options)),
      bases: options.base,
      baseJobs,
      mountFrom,
    });
  } catch (error) {
    // An error without a path comes from a registry, not from a restored file.
    const isLocal = isDrayageError(error) && error.facts.path !== undefined;
    if (!isLocal) throw error;
    const { explainDamage } = await import('../artifact-errors.ts');
    throw await explainDamage(error, sources.restored, context);
  }
  if (job !== undefined) await writePromotionReports(result.images, job, options, context);
  return outcomeOf(result);
}

function outcomeOf(result: PromoteResult): Outcome {
  const { images, bytes, seconds } = result;
  const { sent, mounted, total } = bytes;
  const parts = [`${formatBytes(sent)} sent`, ...(mounted > 0 ? [`${formatBytes(mounted)} mounted`] : [])];
  return {
    json: result,
    text: [
      ...images.flatMap(describe),
      `${count(images.length, 'image')}: ${parts.join(', ')} of ${formatBytes(total)} of blobs, in ${formatSeconds(seconds)}`,
    ],
    quiet: [...new Set(images.flatMap(({ tags }) => tags.map(({ digestRef }) => digestRef)))],
  };
}

function describe({ tags }: PromotedImage): string[] {
  return tags.map(({ ref, digestRef, status, was }) => {
    const before = status === 'moved' ? `; it was ${was ?? ''}` : '';
    return `${ref}: ${digestRef}${status === 'present' ? ', as before' : before}`;
  });
}

import type { LoadedImage, PlannedIdentity } from '../../index.ts';
import { imageVariables, load } from '../../index.ts';
import { jobSecretOf, readJob } from '../ci.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import type { BaseOptions } from '../bases.ts';
import { openBases } from '../bases.ts';
import { isShared, openDaemon } from '../daemon.ts';
import { collectLessOften } from '../../heap.ts';
import { count } from '../../text/count.ts';
import { formatBytes } from '../../text/bytes.ts';
import type { LockTimeoutOptions } from '../places.ts';
import type { VariableOptions } from '../reports.ts';
import { checkDotenvFile, writeDotenvFile } from '../dotenv-file.ts';
import type { SignatureOptions } from '../signature-options.ts';
import type { ImageOptions, PlatformOptions } from '../selection.ts';
import { readSelection } from '../selection.ts';
import type { SourceOptions } from '../source-options.ts';
import { openSources } from '../sources.ts';
import type { Choice } from './load-to.ts';
import { onlyMeaningful } from '../meaning.ts';
import type { Target } from '../target.ts';
import { parseTarget } from '../target.ts';
import { assertWritable } from '../output-file.ts';

/** Options of `drayage load`. */
export interface LoadCommandOptions
  extends
    CommonOptions,
    ImageOptions,
    PlatformOptions,
    SourceOptions,
    BaseOptions,
    SignatureOptions,
    VariableOptions,
    LockTimeoutOptions {
  tag?: string[];
  to?: string;
  full?: boolean;
  shared?: boolean;
  private?: boolean;
  host?: string;
  dotenv?: string;
}

/** `drayage load` */
export async function loadImages(
  paths: readonly string[],
  given: LoadCommandOptions,
  context: Context,
): Promise<Outcome> {
  collectLessOften();
  const target = given.to === undefined ? undefined : parseTarget(given.to, { ...given, ...context });
  const options = target === undefined ? given : withoutDaemonOptions(given, target);
  if (options.dotenv === undefined)
    onlyMeaningful(options, ['env'], 'without --dotenv', 'name the file for the variables: --dotenv FILE');
  if (target?.kind === 'archive') await assertWritable(target.path);
  if (options.dotenv !== undefined) await checkDotenvFile(options.dotenv);
  const selection = await readSelection(options, context);
  await using sources = await openSources(paths, options, context);
  await using bases = openBases(options, context);
  const choice: Choice = { ...selection, from: sources.places, openBase: bases.open };
  try {
    return target === undefined
      ? await loadIntoDaemon(choice, options, context)
      : await (await import('./load-to.ts')).writeTo(target, choice, options, context);
  } catch (error) {
    const { explainDamage } = await import('../artifact-errors.ts');
    throw await explainDamage(error, sources.restored, context);
  }
}

const OF_DAEMONS = ['tag', 'host', 'full', 'shared', 'private', 'dotenv', 'env'] as const;

function withoutDaemonOptions(options: LoadCommandOptions, { kind }: Target): LoadCommandOptions {
  const why = `with --to ${options.to ?? ''}`;
  return kind === 'layout'
    ? onlyMeaningful(options, [...OF_DAEMONS, 'platform'], why, 'layouts are copied as they are')
    : onlyMeaningful(options, OF_DAEMONS, why, 'it applies only to loading into a daemon');
}

async function loadIntoDaemon(
  choice: Choice,
  options: LoadCommandOptions,
  context: Context,
): Promise<Outcome> {
  await using daemon = await openDaemon(options.host, context);
  const shared = options.shared ?? (options.private !== true && isShared(daemon.host, context.env));
  const names = shared ? 'unique' : 'restore';
  const job = readJob(context.env)?.origin.jobId;
  const lease = job === undefined ? undefined : { job, now: new Date(), secret: jobSecretOf(context.env) };
  const { tag: tags, full } = options;
  // Images whose variables cannot be written are not loaded.
  const onPlanned = (images: readonly PlannedIdentity[]): void =>
    void (options.dotenv !== undefined && imageVariables(images, options.env));
  const result = await load({ ...choice, to: daemon, names, tags, full, lease, onPlanned });
  if (options.dotenv !== undefined)
    await writeDotenvFile(options.dotenv, imageVariables(result.images, options.env), context);
  return {
    json: result,
    text: result.images.map((image) => describeImage(image, shared)),
    quiet: result.images.map(({ ref }) => ref),
  };
}

/** On a shared daemon the name may belong to another job's image, so it is not shown. */
function describeImage(image: LoadedImage, shared: boolean): string {
  const { name, ref, tags, moved } = image;
  const parts = [`${ref}: ${describeTransfer(image)}, verified`];
  const also = new Set([...(shared || name === null ? [] : [name]), ...tags]);
  if (also.size > 0) parts.push(`also ${[...also].join(', ')}`);
  for (const { name: taken, from } of moved)
    parts.push(`${taken} was ${from.replace(/^\w+:/, '').slice(0, 12)}`);
  return parts.join('; ');
}

/** `2 of 9 layers sent (35 MB)`: bytes as they were sent. Stored bytes differ, since sent layers may be uncompressed. */
function describeTransfer({ status, layersSent, layersPresent, bytesSent }: LoadedImage): string {
  if (status === 'present') return 'already there';
  const bytes = formatBytes(bytesSent);
  if (layersPresent === 0) return `${count(layersSent, 'layer')} sent (${bytes})`;
  return `${layersSent} of ${count(layersSent + layersPresent, 'layer')} sent (${bytes})`;
}

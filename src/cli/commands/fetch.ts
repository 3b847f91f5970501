import type { CommonOptions, Context, Outcome } from '../context.ts';
import { formatSeconds } from '../format.ts';
import { count } from '../../text/count.ts';
import { formatBytes } from '../../text/bytes.ts';
import type { FetchResult, Selection } from '../../index.ts';
import { DrayageError, fetchImages, joinPlaces, prepareFetch } from '../../index.ts';
import type { BaseOptions, Bases } from '../bases.ts';
import { readJob } from '../ci.ts';
import { openBases } from '../bases.ts';
import { onlyMeaningful } from '../meaning.ts';
import type { LockTimeoutOptions } from '../places.ts';
import { createLayout, layoutOf, openLayouts } from '../places.ts';
import type { SignatureOptions } from '../signature-options.ts';
import type { ImageOptions } from '../selection.ts';
import { readSelection } from '../selection.ts';
import type { SourceOptions } from '../source-options.ts';
import { openSources } from '../sources.ts';
import { NO_NAME } from '../../text/no-name.ts';

/** Options of `drayage fetch`. */
export interface FetchCommandOptions
  extends CommonOptions, ImageOptions, SourceOptions, BaseOptions, SignatureOptions, LockTimeoutOptions {
  out?: string;
  complete?: boolean;
}

/** `drayage fetch` */
export async function fetchFromJob(
  paths: readonly string[],
  options: FetchCommandOptions,
  context: Context,
): Promise<Outcome> {
  const isOfJob = options.job !== undefined || options.jobId !== undefined;
  assertMeaning(isOfJob, paths, options);
  readJob(context.env);
  // Naming a job accepts its images, unless `--expect` says otherwise.
  const selection = await readSelection(options, context, { ownPipeline: false });
  await using bases = openBases(options, context);
  const complete = options.complete === true ? bases.open : undefined;
  if (!isOfJob) return completeLayouts(paths, bases, { ...options, selection }, context);
  await using sources = await openSources([], options, context, 'once');
  const result = await fetchImages({
    ...selection,
    from: sources.places,
    to: await createLayout(options.out ?? layoutOf(sources.home ?? 'images'), context, options),
    complete,
  });
  return {
    json: result,
    text: describe(result),
    quiet: result.images.map(({ ref }) => ref),
  };
}

/** Adds omitted layers to local layouts. */
async function completeLayouts(
  paths: readonly string[],
  bases: Bases,
  { selection, ...options }: FetchCommandOptions & { selection: Selection },
  context: Context,
): Promise<Outcome> {
  const layouts = await openLayouts(paths, context, options);
  const others = [joinPlaces(layouts)];
  const fetches = [];
  for (const layout of layouts) {
    const places = { from: [layout], others, to: layout };
    fetches.push(await prepareFetch({ ...selection, ...places, complete: bases.open }));
  }
  const results: FetchResult[] = [];
  for (const fetchPrepared of fetches) results.push(await fetchPrepared());
  return {
    json: { layouts: results },
    text: results.flatMap(describe),
    quiet: results.flatMap((result) => result.images.map(({ ref }) => ref)),
  };
}

/** Refuses options that would be ignored. */
function assertMeaning(isOfJob: boolean, paths: readonly string[], options: FetchCommandOptions): void {
  if (!isOfJob && options.complete !== true) {
    throw new DrayageError('USAGE', 'no job given', {
      hint: 'use --job or --job-id; or --complete to add omitted layers to local layouts',
    });
  }
  const hint = 'to complete local layouts: drayage fetch --complete [LAYOUT…]';
  if (!isOfJob) onlyMeaningful(options, ['out'], 'without a job', hint);
  else if (options.complete !== true) onlyMeaningful(options, ['offline'], 'with a job', hint);
  const [path] = paths;
  if (isOfJob && path !== undefined)
    throw new DrayageError('USAGE', `${path} has no meaning with a job`, { hint });
}

function describe({ layout, images, bytes: { fetched, total }, seconds }: FetchResult): string[] {
  return [
    ...images.map(({ name, id }) => `${name ?? NO_NAME}: ${id}`),
    `${layout}: ${count(images.length, 'image')}, ${formatBytes(total)} of blobs, ${formatBytes(fetched)} fetched, in ${formatSeconds(seconds)}`,
  ];
}

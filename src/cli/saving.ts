import type { DockerDaemon, Layout, SaveResult, SaveSource, SignResult, ThinOptions } from '../index.ts';
import { pulledImages, save } from '../index.ts';
import { openArchiveInput } from './archive-input.ts';
import { lazyArtifacts } from './artifacts.ts';
import { openBaseJobs } from './base-jobs.ts';
import type { Repositories } from './bases.ts';
import { lazyRepositories } from './bases.ts';
import type { BuiltImage } from './built-images.ts';
import { collectLessOften } from '../heap.ts';
import type { Job } from './ci.ts';
import { annotationsOf } from './ci.ts';
import type { Context } from './context.ts';
import { isShared, openDaemon } from './daemon.ts';
import { adoptLayout, createLayout, defaultLayout, openLayout } from './places.ts';
import { folderOf, isFolder, isSameFolder, isStream, parseNotation } from './notation.ts';
import { reportPlan } from './reports.ts';
import type { SaveCommandOptions } from './save-request.ts';
import { onlyMeaningful } from './meaning.ts';
import { beginSave, noteMovingTags } from './save-request.ts';
import { openBaseLayouts } from './sources.ts';

/** Closes a place that holds nothing open. */
const nothing = async (): Promise<void> => {};

/** A save that is done. */
export interface DoneSave {
  layout: Layout;
  /** Undefined outside a CI. */
  job: Job | undefined;
  result: SaveResult;
  signed: SignResult | undefined;
}

/**
 * Saves images as the options say. Writes no reports.
 * @param mode a `trial` checks that the images can be signed, and signs none
 */
export async function runSave(
  given: readonly string[],
  options: SaveCommandOptions,
  context: Context,
  mode: 'real' | 'trial' = 'real',
): Promise<DoneSave> {
  const { env, signal, onProgress } = context;
  const { names, ids, described, platform, maxSize, job, signing } = await beginSave(given, options, context);
  const out = options.out ?? defaultLayout(env);
  const layout = await openTarget(out, options, context);
  await using bases = await openBaseLayouts(options.baseLayout, context);
  await using artifacts = lazyArtifacts(options, context);
  const baseJobs = await openBaseJobs(options, artifacts, context);
  await using source = await openSource(options, layout, context);
  const { daemon } = source;
  const found =
    daemon === undefined || described.length === 0
      ? undefined
      : await (await import('./built-images.ts')).findBuiltImages(described, daemon, context);
  await using repositories = lazyRepositories(options, context);
  if (mode === 'real' && daemon !== undefined && isShared(daemon.host, env)) noteMovingTags(names, context);
  const result = await save({
    from: source.from,
    images: [
      ...names,
      ...ids,
      ...(found?.keys() ?? []),
      ...(source.image === undefined ? [] : [source.image]),
    ],
    names: found,
    built: daemon === undefined ? described : undefined,
    // A signature vouches for every layer: reading them once proves and hashes them.
    prove: signing !== undefined,
    // A copy must not turn another job's image into this job's.
    policy: signing?.policy,
    platform,
    oneRequest: options.oneRequest,
    to: layout,
    baseLayouts: bases.layouts,
    baseJobs,
    thin: thinOptions(options, { repositories, described, daemon }, context),
    compress: options.compress,
    level: options.level,
    annotations: job && annotationsOf(job, env),
    onPlanned: job && mode === 'real' ? reportPlan(layout, job, options, context) : undefined,
    maxSize,
    // Without a limit of the user's, the default limit of the CI gets a note. A trial compares sizes itself.
    warnSize: maxSize === undefined && mode === 'real' ? job?.ci.sizeLimit?.(job.origin) : undefined,
    signal,
    onProgress,
  });
  if (mode === 'trial') return { layout, job, result, signed: undefined };
  const digests = result.images.map(({ digest }) => digest);
  const signed = await signing?.sign(layout, [...new Set(digests)], {
    others: bases.layouts,
    bases: options.base,
    baseJobs,
    openJob: artifacts.openJob,
    openRepository: repositories.open,
  });
  return { layout, job, result, signed };
}

/** Where to look for bases, and when. */
function thinOptions(
  { thin = 'auto', base }: SaveCommandOptions,
  from: { repositories: Repositories; described: readonly BuiltImage[]; daemon: DockerDaemon | undefined },
  { signal }: Context,
): ThinOptions | undefined {
  if (thin === 'never') return undefined;
  const { repositories, described, daemon } = from;
  return {
    when: thin,
    openRepository: repositories.open,
    asked: base,
    built: [...new Set(described.flatMap(({ bases }) => bases))],
    pulled: daemon && (async () => pulledImages(daemon, { signal })),
  };
}

interface OpenSource extends AsyncDisposable {
  from: SaveSource;
  /** The daemon, if it is one. */
  daemon?: DockerDaemon;
  /** The image that the source names. */
  image?: string;
}

/** The layout to save into. If the images come from it, a builder wrote it. */
async function openTarget(out: string, options: SaveCommandOptions, context: Context): Promise<Layout> {
  const source = layoutFolder(options.from);
  if (source === undefined || !(await isSameFolder(source, folderOf(out))))
    return createLayout(out, context, options);
  return adoptLayout(out, context, options);
}

/** The folder in a source that may be a layout. */
function layoutFolder(from: string | undefined): string | undefined {
  if (from === undefined || isStream(from)) return undefined;
  const { kind, path } = parseNotation(from);
  return kind === undefined || kind === 'oci' ? path : undefined;
}

async function openSource(
  options: SaveCommandOptions,
  layout: Layout,
  context: Context,
): Promise<OpenSource> {
  const { from, host } = options;
  if (from === undefined) {
    const daemon = await openDaemon(host, context);
    return { from: daemon, daemon, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
  }
  const { kind, path, image } = parseNotation(from);
  const isBare = kind === undefined && !isStream(path);
  if (kind === 'oci' || (isBare && (await isFolder(path)))) {
    const asTheyAre = 'its layers are taken as they are';
    onlyMeaningful(options, ['compress', 'level'], `with the layout ${path}`, asTheyAre);
    const isTarget = await isSameFolder(path, layout.path);
    const place = isTarget ? layout : await openLayout(path, context);
    return { from: place, image, [Symbol.asyncDispose]: nothing };
  }
  const input = await openArchiveInput(path, context);
  collectLessOften();
  return { from: input, image, [Symbol.asyncDispose]: async () => void input.archive.destroy() };
}

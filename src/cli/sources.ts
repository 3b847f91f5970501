import type { ArtifactLayout, BlobCache, FoundJob, ImagePlace, JobQuery, Layout } from '../index.ts';
import { isDrayageError, localFirst } from '../index.ts';
import type { CacheOptions } from './cache.ts';
import { openCache } from './cache.ts';
import { isGitLab } from './ci.ts';
import type { Context } from './context.ts';
import type { GitLabConnectionOptions } from './gitlab.ts';
import { lazyGitLab } from './gitlab.ts';
import type { JobOptions } from './job-query.ts';
import { readJobQuery } from './job-query.ts';
import { isArchive } from './notation.ts';
import { HOME, openLayouts } from './places.ts';
import { notShipped } from './artifact-errors.ts';
import { unpackArchives } from './unpack.ts';

/** The options for the source of images. */
export interface SourceOptions extends JobOptions, CacheOptions, GitLabConnectionOptions {}

/** Places to read images from, open until they are closed. */
export interface Sources extends AsyncDisposable {
  places: ImagePlace[];
  /** Those on disk, where the runner may have restored them. */
  restored: Layout[];
  /** The folder below `.drayage` for a job's images; undefined for layouts on disk. */
  home: string | undefined;
}

/**
 * Opens the source of images: layouts on disk, or the artifact of a named job. With a job, the artifact says which
 * images there are; layouts on disk and the cache only save requests.
 * @param reads whether each blob is read once; a blob that is read several times is fetched once all the same
 */
export async function openSources(
  paths: readonly string[],
  options: SourceOptions,
  context: Context,
  reads: 'once' | 'often' = 'often',
): Promise<Sources> {
  const query = readJobQuery(options, context);
  if (query !== undefined) return openJob(query, paths, { ...options, reads }, context);
  const { layouts: _, ...opened } = await openNamed(paths, context, assertShipped);
  return { ...opened, home: undefined };
}

/** Layouts, and archives unpacked as layouts, until they are closed. */
export interface NamedLayouts extends AsyncDisposable {
  layouts: Layout[];
  /** The same, to choose images from. */
  places: ImagePlace[];
  /** Those on disk, where the runner may have restored them. */
  restored: Layout[];
}

/**
 * Opens the named layouts and archives, or every layout below `.drayage`.
 * @param check checks the layouts on disk, before an archive is read
 */
export async function openNamed(
  texts: readonly string[],
  context: Context,
  check: typeof assertShipped = async () => {},
): Promise<NamedLayouts> {
  const archives = texts.filter(isArchive);
  const folders = texts.filter((text) => !isArchive(text));
  const restored = archives.length > 0 && folders.length === 0 ? [] : await openLayouts(folders, context);
  await check(restored, context);
  const unpacked = await unpackArchives(archives, context);
  return {
    layouts: [...restored, ...unpacked.layouts],
    places: [...restored, ...unpacked.places],
    restored,
    [Symbol.asyncDispose]: () => unpacked[Symbol.asyncDispose](),
  };
}

/** The layouts and archives that hold what another layout omits; none where none is named. */
export async function openBaseLayouts(
  paths: readonly string[] | undefined,
  context: Context,
): Promise<AsyncDisposable & { layouts: Layout[] }> {
  if (paths !== undefined && paths.length > 0) return openNamed(paths, context);
  return { layouts: [], [Symbol.asyncDispose]: async () => {} };
}

/** A GitLab job that finds no image gets the usual causes. */
async function assertShipped(layouts: readonly Layout[], context: Context): Promise<void> {
  if (!isGitLab(context) || layouts.length === 0) return;
  for (const layout of layouts) if ((await layout.entries()).length > 0) return;
  const paths = layouts.map(({ path }) => path);
  throw notShipped(paths.length === 1 ? (paths[0] ?? '') : HOME, `no image in ${paths.join(', ')}`);
}

async function openJob(
  query: JobQuery,
  paths: readonly string[],
  options: SourceOptions & { reads: 'once' | 'often' },
  context: Context,
): Promise<Sources> {
  const open: (() => PromiseLike<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of open.splice(0).toReversed()) await end();
  };
  try {
    const locals = await openLocals(paths, context);
    const isKept = options.cache !== undefined || options.reads === 'often';
    const cached = isKept ? await openCache(options, context) : undefined;
    if (cached !== undefined) open.push(() => cached[Symbol.asyncDispose]());
    const gitlab = lazyGitLab(options, context);
    open.push(() => gitlab[Symbol.asyncDispose]());
    const job = await gitlab.findJob(query);
    const artifact = await gitlab.openArtifact(job);
    const places = artifact.layouts.map((layout) => chained(layout, locals, cached?.cache));
    const home = homeOf(job, artifact.layouts);
    return { places, restored: [], home, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The images of an artifact's layout, with content from disk if it is there. */
function chained(
  layout: ArtifactLayout,
  locals: readonly Layout[],
  cache: BlobCache | undefined,
): ImagePlace {
  if (cache === undefined) return layout.over(localFirst(locals, layout));
  return layout.over(localFirst([...locals, cache], cache.filledFrom(layout)));
}

/** The named layouts, or the readable ones below `.drayage`. */
async function openLocals(paths: readonly string[], context: Context): Promise<Layout[]> {
  if (paths.length > 0) return openLayouts(paths, context);
  return openLayouts([], context).catch((error: unknown) => {
    if (isDrayageError(error)) return [];
    throw error;
  });
}

/**
 * As the runner would restore it: the job's ID. For a job by reference, whose ID is unknown, the layout's own folder.
 */
function homeOf(job: FoundJob, [first]: readonly { folder: string }[]): string {
  if (job.kind === 'id') return job.jobId;
  const name = first?.folder.split('/').at(-1) ?? '';
  return /^\w[\w.-]*$/.test(name) ? name : 'images';
}

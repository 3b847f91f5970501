import type { ArtifactLayout, BlobCache, FoundJob, ImagePlace, JobQuery, Layout } from '../index.ts';
import { isDrayageError, localFirst } from '../index.ts';
import { openCache } from './cache.ts';
import type { Context } from './context.ts';
import { lazyGitLab } from './lazy-gitlab.ts';
import { openLayouts } from './places.ts';
import type { SourceOptions, Sources } from './source-options.ts';

/**
 * Opens the artifact of a named job. It says which images there are; layouts on disk and the cache only save requests.
 */
export async function openJobSources(
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

import type { ImagePlace, Layout } from '../index.ts';
import type { Context } from './context.ts';
import { readJobQuery } from './job-query.ts';
import { isArchive } from './notation.ts';
import { openLayouts } from './places.ts';
import { HOME, isRestored } from './restored.ts';
import type { ImageOptions } from './selection.ts';
import type { SourceOptions, Sources } from './source-options.ts';
import type { UnpackedArchives } from './unpack.ts';

/**
 * Opens the source of images: layouts on disk, or the artifact of a named job. With a job, the artifact says which
 * images there are; layouts on disk and the cache only save requests.
 * @param options `image`: the images that will be chosen; default: all
 * @param reads whether each blob is read once; a blob that is read several times is fetched once all the same
 */
export async function openSources(
  paths: readonly string[],
  options: SourceOptions & ImageOptions,
  context: Context,
  reads: 'once' | 'often' = 'often',
): Promise<Sources> {
  const query = readJobQuery(options, context);
  if (query !== undefined) {
    const { openJobSources } = await import('./job-sources.ts');
    return openJobSources(query, paths, { ...options, reads }, context);
  }
  const { layouts: _, ...opened } = await openNamed(paths, context, {
    check: assertShipped,
    chosen: options.image,
  });
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

/** Options of {@link openNamed}. */
interface OpenNamedOptions {
  /** Checks the layouts on disk, before an archive is read. */
  check?: typeof assertShipped;
  /**
   * The images that will be chosen from all places together; default: all. If an archive is the only place, only these
   * are unpacked, so that another image may be damaged.
   */
  chosen?: readonly string[] | undefined;
}

/**
 * Opens the named layouts and archives, or every layout below `.drayage`.
 */
export async function openNamed(
  texts: readonly string[],
  context: Context,
  { check = async () => {}, chosen }: OpenNamedOptions = {},
): Promise<NamedLayouts> {
  const archives = texts.filter(isArchive);
  const folders = texts.filter((text) => !isArchive(text));
  const restored = archives.length > 0 && folders.length === 0 ? [] : await openLayouts(folders, context);
  await check(restored, context);
  // Of several places each may have some of the chosen images.
  const isOnlyPlace = restored.length === 0 && archives.length === 1;
  const unpacked = await unpack(archives, context, isOnlyPlace ? chosen : undefined);
  return {
    layouts: [...restored, ...unpacked.layouts],
    places: [...restored, ...unpacked.places],
    restored,
    [Symbol.asyncDispose]: () => unpacked[Symbol.asyncDispose](),
  };
}

/** To save an archive needs much code, which is loaded only for an archive. */
async function unpack(
  archives: readonly string[],
  context: Context,
  chosen?: readonly string[],
): Promise<UnpackedArchives> {
  if (archives.length === 0) return { layouts: [], places: [], [Symbol.asyncDispose]: async () => {} };
  const { unpackArchives } = await import('./unpack.ts');
  return unpackArchives(archives, context, chosen);
}

/** The layouts and archives that hold what another layout omits; none where none is named. */
export async function openBaseLayouts(
  paths: readonly string[] | undefined,
  context: Context,
): Promise<AsyncDisposable & { layouts: Layout[] }> {
  if (paths !== undefined && paths.length > 0) return openNamed(paths, context);
  return { layouts: [], [Symbol.asyncDispose]: async () => {} };
}

/** A GitLab job that finds no image in what its runner restored gets the usual causes. */
async function assertShipped(layouts: readonly Layout[], context: Context): Promise<void> {
  if (layouts.length === 0 || !layouts.every(({ path }) => isRestored(path, context))) return;
  for (const layout of layouts) if ((await layout.entries()).length > 0) return;
  const paths = layouts.map(({ path }) => path);
  const { notShipped } = await import('./artifact-errors.ts');
  throw notShipped(paths.length === 1 ? (paths[0] ?? '') : HOME, `no image in ${paths.join(', ')}`);
}

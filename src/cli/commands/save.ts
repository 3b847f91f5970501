import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { CodecName, SavedImage, SaveSource } from '../../index.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import { openDaemon } from '../daemon.ts';
import { count, formatBytes, formatSeconds } from '../format.ts';
import { createLayout, defaultLayout, openLayouts } from '../places.ts';
import { library } from '../library.ts';
import type { VariableOptions } from '../reports.ts';
import { writeReports } from '../reports.ts';
import { parseSize } from '../size.ts';

/** What there is to close of a place that holds nothing open. */
const nothing = async (): Promise<void> => {};

/** Options of `drayage save`. */
export interface SaveCommandOptions extends CommonOptions, VariableOptions {
  iidfile?: string;
  from?: string;
  out?: string;
  compress?: CodecName;
  level?: number;
  platform?: string;
  oneRequest?: boolean;
  host?: string;
  maxSize?: string;
}

/** `drayage save` */
export async function saveImages(
  names: readonly string[],
  options: SaveCommandOptions,
  context: Context,
): Promise<Outcome> {
  const { gitlabAnnotations, knownSizeLimit, parsePlatform, readGitLabJob, save } = await library();
  const { env, signal, onProgress } = context;
  const images = [...names, ...(options.iidfile === undefined ? [] : [await readImageId(options.iidfile)])];
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  const job = readGitLabJob(env);
  const maxSize = options.maxSize === undefined ? undefined : await parseSize(options.maxSize);
  const layout = await createLayout(options.out ?? defaultLayout(env), context);
  await using source = await openSource(options, context);
  const result = await save({
    from: source.from,
    images,
    platform,
    oneRequest: options.oneRequest,
    to: layout,
    compress: options.compress,
    level: options.level,
    annotations: job === undefined ? {} : gitlabAnnotations(job),
    maxSize,
    // Nobody said what is too much: what GitLab takes unless it was told otherwise is worth a line.
    warnSize: job === undefined || maxSize !== undefined ? undefined : knownSizeLimit(job.server),
    signal,
    onProgress,
  });
  if (job !== undefined) await writeReports(layout, job, options, context);
  const { total, written } = result.bytes;
  return {
    json: result,
    text: [
      ...result.images.map(describeImage),
      `${result.layout}: ${formatBytes(total)} of layers, ${formatBytes(written)} new, in ${formatSeconds(result.seconds)}`,
    ],
    quiet: result.images.map(({ ref }) => ref),
  };
}

function describeImage({ name, id, layers }: SavedImage): string {
  const reused = layers.filter(({ status }) => status === 'reused').length;
  return `${name ?? '(no name)'}: ${id}, ${count(layers.length, 'layer')}, ${reused} of them already there`;
}

interface OpenSource extends AsyncDisposable {
  from: SaveSource;
}

async function openSource({ from, host }: SaveCommandOptions, context: Context): Promise<OpenSource> {
  if (from === undefined) {
    const daemon = await openDaemon(host, context);
    return { from: daemon, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
  }
  if (from === '-') return archiveSource(context.stdin);
  if (await isFolder(from)) {
    const [layout] = await openLayouts([from], context);
    if (layout !== undefined) return { from: layout, [Symbol.asyncDispose]: nothing };
  }
  const archive = createReadStream(from, { highWaterMark: 256 * 1024 });
  return archiveSource(archive);
}

function archiveSource(archive: Readable): OpenSource {
  return { from: { archive }, [Symbol.asyncDispose]: async () => void archive.destroy() };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    const { DrayageError } = await library();
    throw new DrayageError('NOT_FOUND', `${path} cannot be read`, { path, cause });
  }
}

async function readImageId(path: string): Promise<string> {
  const { DrayageError, isDigest } = await library();
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new DrayageError('NOT_FOUND', `the image ID file ${path} cannot be read`, {
      path,
      cause,
      hint: 'write it with docker build --iidfile',
    });
  });
  const id = text.trim();
  if (isDigest(id)) return id;
  throw new DrayageError('MALFORMED', `${path} holds no image ID`, { path, actual: id.slice(0, 100) });
}

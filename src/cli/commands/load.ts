import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Layout, LoadedImage, Platform } from '../../index.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import { openDaemon } from '../daemon.ts';
import { count, formatBytes } from '../format.ts';
import { createLayout, openLayouts } from '../places.ts';
import { library } from '../library.ts';

/** Options of `drayage load`. */
export interface LoadCommandOptions extends CommonOptions {
  image?: string[];
  tag?: string[];
  platform?: string;
  to?: string;
  shared?: boolean;
  private?: boolean;
  host?: string;
}

/** What is chosen: layouts, images, platform. */
interface Choice {
  from: Layout[];
  images: string[] | undefined;
  platform: Platform | undefined;
  signal: AbortSignal;
}

/** `drayage load` */
export async function loadImages(
  paths: readonly string[],
  options: LoadCommandOptions,
  context: Context,
): Promise<Outcome> {
  const { parsePlatform } = await library();
  const choice: Choice = {
    from: await openLayouts(paths, context),
    images: options.image,
    platform: options.platform === undefined ? undefined : parsePlatform(options.platform),
    signal: context.signal,
  };
  return options.to === undefined
    ? loadIntoDaemon(choice, options, context)
    : writeTo(options.to, choice, context);
}

async function loadIntoDaemon(
  choice: Choice,
  options: LoadCommandOptions,
  context: Context,
): Promise<Outcome> {
  const { load } = await library();
  await using daemon = await openDaemon(options.host, context);
  const shared = options.shared ?? (options.private !== true && isShared(daemon.host, context.env));
  const { onProgress } = context;
  const names = shared ? 'unique' : 'restore';
  const result = await load({ ...choice, to: daemon, names, tags: options.tag, onProgress });
  return {
    json: result,
    text: result.images.map(describeImage),
    quiet: result.images.map(({ ref }) => ref),
  };
}

/** In CI a daemon on a socket is the runner's own: other jobs use it, and their tags are not ours to move. */
function isShared(host: string, env: Context['env']): boolean {
  return env['CI'] === 'true' && !host.startsWith('tcp:');
}

function describeImage({ name, ref, status, layersSent, bytesSent }: LoadedImage): string {
  const what =
    status === 'present' ? 'already there' : `${count(layersSent, 'layer')} sent (${formatBytes(bytesSent)})`;
  return `${name ?? ref}: ${what}, verified; also ${ref}`;
}

async function writeTo(target: string, choice: Choice, context: Context): Promise<Outcome> {
  const [, kind, path] = /^(docker-archive|oci):(.+)$/s.exec(target) ?? [];
  if (kind === 'oci' && path !== undefined) return writeLayout(path, choice, context);
  if (kind === undefined && target !== '-') {
    const { DrayageError } = await library();
    throw new DrayageError('USAGE', `no such target: ${target}`, {
      expected: 'docker-archive:FILE, oci:DIR or -',
    });
  }
  const { exportArchive } = await library();
  const archive = await exportArchive(choice);
  if (path === undefined) {
    await pipeline(archive, context.stdout, { signal: context.signal, end: false });
    return { json: undefined, text: [], quiet: [] };
  }
  const temporary = `${path}.partial`;
  try {
    await pipeline(archive, createWriteStream(temporary, { flags: 'wx' }), { signal: context.signal });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return { json: { archive: path }, text: [`${path}: written`], quiet: [] };
}

async function writeLayout(
  path: string,
  { from, images, signal }: Choice,
  context: Context,
): Promise<Outcome> {
  const { joinPlaces, save } = await library();
  const to = await createLayout(path, context);
  const { images: saved } = await save({ from: joinPlaces(from), images, to, signal });
  return {
    json: { layout: path, images: saved },
    text: saved.map(({ name, digest }) => `${path}: ${name ?? digest}`),
    quiet: saved.map(({ ref }) => ref),
  };
}

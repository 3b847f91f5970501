/** Builds images inside a daemon, FROM scratch and without a network. */
import { link, mkdir, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { TestDaemon } from './daemons.ts';
import { largeLayers } from './image-content.ts';
import { makeTempFolder, removeTempFolder } from './temp-folders.ts';

const FIXED_TIME = new Date('2024-01-01T00:00:00Z');

export interface BuildOptions {
  /**
   * Build with BuildKit; default: the classic builder. On the containerd store BuildKit makes an index with an
   * attestation beside the image. Not with podman, which has neither.
   */
  readonly buildkit?: boolean;
}

/** One for each of the two large images. */
export interface LargeImagePair {
  /** 7 layers, over 300 MB of the machine's own files. */
  readonly first: string;
  /** The same size; its first 5 layers are those of the first, the other two (30 MB) are not. */
  readonly second: string;
  /** Of the 5 layers that both have, where it is wanted. */
  readonly base?: string;
}

/** Builds two large images that share most of their layers under the names given; resolves with their Ids. */
export async function buildLargeImages(
  daemon: TestDaemon,
  names: LargeImagePair,
  options: BuildOptions = {},
): Promise<LargeImagePair> {
  const { first, second } = await largeLayers();
  const buildOne = async (tars: readonly string[], tag: string): Promise<string> =>
    inContext(async (context) => {
      for (const tar of tars) await link(tar, join(context, basename(tar)));
      const steps = tars.map((tar) => `ADD ${basename(tar)} /`);
      return build(daemon, { context, steps, tags: [tag] }, options);
    });
  const shared = first.filter((tar) => second.includes(tar));
  const base = names.base === undefined ? {} : { base: await buildOne(shared, names.base) };
  const firstId = await buildOne(first, names.first);
  return { ...base, first: firstId, second: await buildOne(second, names.second) };
}

/** Puts what the first of the large images is built of into a folder, and returns the steps of its Dockerfile. */
export async function largeContext(context: string): Promise<string[]> {
  const { first } = await largeLayers();
  for (const tar of first) await link(tar, join(context, basename(tar)));
  return first.map((tar) => `ADD ${basename(tar)} /`);
}

export interface TinyImageOptions extends BuildOptions {
  /**
   * The text of the one file in each layer. Images with equal leading texts share those layers.
   * Default: three layers.
   */
  readonly layers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** Builds an image of a few KB under all of `tags` (none: an untagged one), and resolves with its Id. */
export async function buildTinyImage(
  daemon: TestDaemon,
  tags: readonly string[],
  { layers = ['base', 'middle', 'top'], labels = {}, ...options }: TinyImageOptions = {},
): Promise<string> {
  return inContext(async (context) => {
    for (const [index, text] of layers.entries()) {
      const file = join(context, `file-${index}`);
      await writeFile(file, `${text}\n`);
      await utimes(file, FIXED_TIME, FIXED_TIME);
    }
    const copies = layers.map((_, index) => `COPY file-${index} /file-${index}`);
    const steps = [...copies, ...Object.entries(labels).map(([key, value]) => `LABEL ${key}=${value}`)];
    return build(daemon, { context, steps, tags }, options);
  });
}

/** A folder of its own for each build: BuildKit takes a file of equal path, size and time for unchanged. */
async function inContext<T>(use: (context: string) => Promise<T>): Promise<T> {
  const folder = await makeTempFolder();
  try {
    const context = join(folder, 'context');
    await mkdir(context);
    return await use(context);
  } finally {
    await removeTempFolder(folder);
  }
}

async function build(
  daemon: TestDaemon,
  { context, steps, tags }: { context: string; steps: readonly string[]; tags: readonly string[] },
  { buildkit = false }: BuildOptions,
): Promise<string> {
  const lines = ['FROM scratch', ...steps, 'CMD ["/file-0"]', ''];
  await writeFile(join(context, 'Dockerfile'), lines.join('\n'));
  const args = ['build', '--quiet', ...tags.flatMap((tag) => ['--tag', tag]), context];
  const result = await daemon.docker(args, { env: { DOCKER_BUILDKIT: buildkit ? '1' : '0' } });
  if (result.code !== 0) {
    throw new Error(
      `docker build in ${daemon.kind} ended with ${result.code}:\n${result.stdout}${result.stderr}`,
    );
  }
  // Only podman leaves the algorithm out.
  return `sha256:${result.stdout.trim().replace('sha256:', '')}`;
}

import type { Digest, DockerDaemon } from '../index.ts';
import { DrayageError, isDigest, isDrayageError, parseJson } from '../index.ts';
import type { Context } from './context.ts';
import { usedImages } from './provenance.ts';
import { readGiven } from './given-file.ts';
import { withAlgorithm } from './image-id.ts';

/** An image that a build made: its possible IDs in a daemon, the likeliest first, and the build's facts about it. */
export interface BuiltImage {
  digests: Digest[];
  names: string[];
  /** The images that the build used, by reference. */
  bases: string[];
}

/** The keys of docker's metadata files, and the option that writes such a file. */
const DIGEST = 'containerimage.digest';
const CONFIG_DIGEST = 'containerimage.config.digest';
const NAME = 'image.name';
const PROVENANCE = 'buildx.build.provenance';

/** Reads the image ID that `docker build --iidfile` wrote. */
export async function readImageId(path: string): Promise<string> {
  const id = (await readBuildFile(path, 'the image ID file', '--iidfile')).toString().trim();
  const digest = withAlgorithm(id);
  if (isDigest(digest)) return digest;
  throw new DrayageError('MALFORMED', `${path} does not contain an image ID`, {
    path,
    actual: id.slice(0, 100),
    hint:
      id === ''
        ? 'it is empty: the build failed, or its builder kept the image to itself: build with --load'
        : undefined,
  });
}

/**
 * Finds built images in the daemon by their IDs, whatever their names mean there by now.
 * @returns for each its ID in the daemon, with the names that it was built under
 */
export async function findBuiltImages(
  images: readonly BuiltImage[],
  daemon: DockerDaemon,
  { signal }: Pick<Context, 'signal'>,
): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const { digests, names } of images) {
    const id = await findOne(digests, daemon, signal);
    if (id === undefined) throw notInDaemon(digests, daemon.host);
    found.set(id, [...(found.get(id) ?? []), ...names]);
  }
  return found;
}

/** Docker's own store identifies an image by its config, the containerd store by its manifest or index. */
async function findOne(
  digests: readonly Digest[],
  daemon: DockerDaemon,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const digest of digests) {
    try {
      return (await daemon.inspect(digest, { signal })).id;
    } catch (error) {
      if (!isDrayageError(error, 'NOT_FOUND')) throw error;
    }
  }
  return undefined;
}

function notInDaemon(digests: readonly Digest[], host: string): Error {
  return new DrayageError('NOT_FOUND', `docker at ${host} has no image ${digests.join(' or ')}`, {
    hint:
      'a builder other than the daemon’s own needs --load; and the containerd store drops an image whose name another build takes: ' +
      'where jobs share it, give the image no name or one of this job (app:$CI_JOB_ID)',
  });
}

/** Reads the metadata file of `docker build` or `docker buildx bake`: at least one image. */
export async function readMetadata(path: string): Promise<BuiltImage[]> {
  const value = parseJson(await readBuildFile(path, 'the metadata file', '--metadata-file'), path);
  // A build has one image; bake has an object for each of its targets.
  const images = [value, ...valuesOf(value)].map(builtImage).filter((image) => image !== undefined);
  if (images.length > 0) return images;
  throw new DrayageError('MALFORMED', `${path} names no image`, {
    path,
    expected: DIGEST,
    hint: 'write it with docker build --metadata-file or docker buildx bake --metadata-file',
  });
}

function builtImage(value: unknown): BuiltImage | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const stated = [fields.get(DIGEST), fields.get(CONFIG_DIGEST)];
  const digests = [...new Set(stated)].filter((digest) => typeof digest === 'string' && isDigest(digest));
  if (digests.length === 0) return undefined;
  const names = fields.get(NAME);
  return {
    digests,
    names: typeof names === 'string' ? names.split(',').filter((name) => name !== '') : [],
    // A build for several platforms has one key for each, which ends with the platform.
    bases: [...fields].flatMap(([key, field]) => (key.startsWith(PROVENANCE) ? usedImages(field) : [])),
  };
}

function valuesOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}

async function readBuildFile(path: string, what: string, option: string): Promise<Buffer> {
  return readGiven(path, what, { hint: `write it with docker build ${option}` });
}

import { referenceTo } from '../../content/image-index.ts';
import pLimit from 'p-limit';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import type { CopyContentsOptions, Receiver } from '../../image/copy.ts';
import { copyContents, layerStatus } from '../../image/copy.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { startLayers } from '../../progress.ts';
import type { RegistryRepository } from '../../registry/repository.ts';
import { together } from '../../stream/together.ts';
import type { Mounting } from './into-repository.ts';
import { intoRepository, repositoriesAmong } from './into-repository.ts';
import type { Planned } from './plan.ts';

/** The maximum number of blobs that go up at a time: fewer than the connections to a host. */
const MAX_UPLOADS = 6;

/** Options of {@link push}. */
export interface PushOptions extends ContentOptions, Pick<Mounting, 'onProgress'> {
  /** How many blobs go up at a time, to whatever registry; at most 6. Default 4. */
  concurrency?: number;
  /** The places of the images: a repository among them shares blobs. */
  from: readonly ContentSource[];
  /** Further places of blobs, likewise. */
  blobs?: readonly ContentSource[];
  mountFrom?: readonly RegistryRepository[];
  /** The repositories that hold an image already. */
  held: ReadonlyMap<Planned, ReadonlySet<RegistryRepository>>;
  onBlob: NonNullable<CopyContentsOptions['onBlob']>;
}

/**
 * Brings images into their repositories, without any tag of theirs: to several registries at a time; into the repositories of
 * one after another, so that the later ones take over what the first got.
 * @throws {@link DrayageError} `NOT_FOUND` where no place has a blob, `INCOMPLETE`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`,
 * `UNREACHABLE`, `TIMEOUT`
 */
export async function push(planned: readonly Planned[], options: PushOptions): Promise<void> {
  const { concurrency = 4, from, blobs = [], mountFrom = [], held, onProgress } = options;
  // Uploads may wait for downloads from the same host, which needs connections, too.
  const limit = pLimit(Math.min(concurrency, MAX_UPLOADS));
  const mounting: Mounting = {
    holders: new Map(),
    mountFrom: [...repositoriesAmong([...from, ...blobs]), ...mountFrom],
    onProgress,
  };
  const repositories = new Map<RegistryRepository, Planned[]>();
  for (const image of planned) {
    for (const repository of new Set(image.targets.map((target) => target.repository))) {
      repositories.set(repository, [...(repositories.get(repository) ?? []), image]);
    }
  }
  const groups = [...repositories.values()].map((images) => images.flatMap(blobsOf));
  const onBlob = toldBlob(options.onBlob, startLayers(onProgress, planned.length, groups));
  onProgress?.({ kind: 'phase', phase: 'sending' });
  const hosts = [...new Set([...repositories.keys()].map(({ host }) => host))];
  await together(hosts, options.signal, async (host, signal) => {
    for (const [repository, images] of repositories) {
      if (repository.host !== host) continue;
      const copying = { limit, done: new Set<Digest>(), onBlob, signal };
      for (const image of images) {
        onProgress?.({ kind: 'image', name: referenceTo(image.image) });
        const isHeld = held.get(image)?.has(repository);
        await pushImage(repository, image, mounting, { ...copying, isHeld });
      }
    }
  });
}

function toldBlob(
  onBlob: PushOptions['onBlob'],
  tell: ReturnType<typeof startLayers>,
): CopyContentsOptions['onBlob'] {
  return async (blob, by) => {
    await onBlob(blob, by);
    tell(blob, layerStatus(by));
  };
}

/** Brings an image into a repository, and then what refers to it. */
async function pushImage(
  repository: RegistryRepository,
  image: Planned,
  mounting: Mounting,
  { isHeld, ...copying }: CopyContentsOptions & { isHeld: boolean | undefined },
): Promise<void> {
  const receiver = intoRepository(repository, image, mounting);
  const root = intoRepository(repository, image, mounting, { isHeld });
  await copyContents({ documents: image.contents.documents, blobs: blobsOf(image) }, root, copying);
  const listed = new Map<Digest, Set<Digest>>();
  for (const referrer of image.referrers) {
    const { subject, descriptor, contents, tag } = referrer;
    if (tag !== undefined) {
      if (!(await isTaken(repository, referrer, tag, mounting, copying))) {
        await copyBelow(referrer, receiver, copying);
        await repository.putManifest(contents.root, tag, copying);
      }
      continue;
    }
    const there = listed.get(subject) ?? (await referrersIn(repository, referrer, copying));
    listed.set(subject, there);
    if (there.has(descriptor.digest)) continue;
    await copyBelow(referrer, receiver, copying);
    await repository.putReferrer(contents.root, subject, descriptor, copying);
  }
}

/** All blobs that a repository gets, also those that the image's place omits. */
function blobsOf({ contents: { omitted, blobs } }: Planned): Descriptor[] {
  return [...omitted, ...blobs];
}

/** All of a referrer but its root, which is put in a way of its own. */
async function copyBelow(
  { contents: { blobs, documents } }: Planned['referrers'][number],
  receiver: Receiver,
  copying: CopyContentsOptions,
): Promise<void> {
  await copyContents({ blobs, documents: documents.slice(0, -1) }, receiver, copying);
}

async function referrersIn(
  repository: RegistryRepository,
  { subject, descriptor }: Planned['referrers'][number],
  { signal }: ContentOptions,
): Promise<Set<Digest>> {
  const found = await repository.referrers({ ...descriptor, digest: subject }, { signal });
  return new Set(found.map(({ digest }) => digest));
}

/** Whether something is under the tag of a referrer without a `subject`. Other signatures stay there. */
async function isTaken(
  repository: RegistryRepository,
  { descriptor }: Planned['referrers'][number],
  tag: string,
  { onProgress }: Mounting,
  { signal }: ContentOptions,
): Promise<boolean> {
  const was = await repository.describe(tag, { signal });
  if (was !== undefined && was.digest !== descriptor.digest) {
    const message = `${repository.name}:${tag} is there already, with other content, and stays as it is`;
    onProgress?.({ kind: 'note', message });
  }
  return was !== undefined;
}

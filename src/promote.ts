import pLimit from 'p-limit';
import type { ContentOptions, ContentSource, ImagePolicy, StoredImage } from './content.ts';
import { DrayageError } from './errors.ts';
import { readImage } from './image.ts';
import { BASE_DIGEST, BASE_NAME } from './oci/annotations.ts';
import type { Digest } from './oci/digest.ts';
import { layerCompression } from './oci/media-types.ts';
import type { OnProgress } from './progress.ts';
import { readParts } from './push/parts.ts';
import type { Cargo, PushedBy } from './push/push.ts';
import { pushContent } from './push/push.ts';
import { collectReferrers } from './push/referrers.ts';
import type { Registries, TaggedRepository } from './registry/registries.ts';
import type { RegistryRepository } from './registry/repository.ts';
import type { ImagePlace, PlacedImage } from './selection.ts';
import { selectImages } from './selection.ts';

/** An image, and the tags that it is to get. */
export interface Promotion {
  /** Its name or digest; default: the only image of all places. */
  image?: string | undefined;
  /** References with tags, of any number of registries: `registry.example/group/app:1.2`. Without a tag `latest` is meant. */
  to: readonly string[];
}

/** Options of {@link promote}. */
export interface PromoteOptions extends ContentOptions {
  /** Where the images are: layouts. */
  from: readonly ImagePlace[];
  promotions: readonly Promotion[];
  registries: Registries;
  /** Which images may be promoted; default: all. */
  policy?: ImagePolicy | undefined;
  /** Refuses to move a tag that means another image. Default false. */
  ifAbsent?: boolean | undefined;
  /** Where else blobs may be that were left out of a layout. The registry of the base that an image names is looked at by itself. */
  blobs?: readonly ContentSource[] | undefined;
  /** Repositories that may hold blobs already: one of the same registry hands them over, so that they are not sent. */
  mountFrom?: readonly RegistryRepository[] | undefined;
  /** How many blobs go up at a time. Default 4. */
  concurrency?: number | undefined;
  onProgress?: OnProgress | undefined;
}

/** A tag that was set. */
export interface PromotedTag {
  /** `registry.example/group/app:1.2` */
  ref: string;
  /** `registry.example/group/app@sha256:…`: what to deploy. */
  digestRef: string;
  /** `present`: it meant this image already. */
  status: 'set' | 'moved' | 'present';
  /** What it meant before, where it has moved. */
  was: Digest | null;
}

/** An image that was promoted. */
export interface PromotedImage {
  /** The first of its names in its layout; null where it has none. */
  name: string | null;
  /** The config digest; of a multi-platform image that of the first. */
  id: Digest;
  /** The manifest's digest, or the index's: in the layout, and in each registry. */
  digest: Digest;
  tags: PromotedTag[];
}

/** What came of {@link promote}. */
export interface PromoteResult {
  images: PromotedImage[];
  /** Stored bytes of blobs, each counted once for each repository; `total` is their sum. */
  bytes: { sent: number; mounted: number; present: number; total: number };
  seconds: number;
}

/** An image with all that is known before something is sent. */
interface Planned extends PlacedImage {
  id: Digest;
  targets: (TaggedRepository & { was: Digest | undefined })[];
  cargo: Cargo;
}

/**
 * Puts images into registries under the digest that they have here, with all platforms and with what refers to them: only
 * what a registry lacks. Tags come last: where anything fails before, none has moved.
 * @throws {@link DrayageError} `USAGE`, `NOT_FOUND`, `AMBIGUOUS`, `POLICY`; `UNSAFE` where a tag would move that must not;
 * `INCOMPLETE`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `UNREACHABLE`, `TIMEOUT`
 */
export async function promote(options: PromoteOptions): Promise<PromoteResult> {
  const started = performance.now();
  const { onProgress } = options;
  const bytes = { sent: 0, mounted: 0, present: 0, total: 0 };
  const planned: Planned[] = [];
  for (const promotion of options.promotions) planned.push(await plan(promotion, options));
  assertTagsAgree(planned);
  warnOfZstd(planned, onProgress);
  await pushAll(planned, options, (size, by) => {
    bytes[by] += size;
    bytes.total += size;
  });
  const images: PromotedImage[] = [];
  for (const image of planned) images.push(await setTags(image, options));
  return { images, bytes, seconds: (performance.now() - started) / 1000 };
}

async function plan({ image, to }: Promotion, options: PromoteOptions): Promise<Planned> {
  const { from, policy, registries, signal, onProgress } = options;
  const onNote = (message: string): void => onProgress?.({ kind: 'note', message });
  const references = image === undefined ? [] : [image];
  const [placed, ...others] = await selectImages(from, references, { policy, onNote });
  if (placed === undefined || others.length > 0) throw whichImage([placed ?? [], others].flat());
  const { config } = await readImage(placed.place, placed.image.root, { signal });
  policy?.check(placed.image, config.value);
  const targets = [];
  for (const reference of to) {
    const { repository, tag } = await registries.tagged(reference);
    const was = (await repository.describe(tag, { signal }))?.digest;
    targets.push({ repository, tag, was });
    if (options.ifAbsent === true) assertUnmoved(`${repository.name}:${tag}`, was, placed.image);
  }
  return { ...placed, id: config.descriptor.digest, targets, cargo: await load(placed, options) };
}

async function load({ place, image }: PlacedImage, options: PromoteOptions): Promise<Cargo> {
  const { signal, registries, blobs = [] } = options;
  const parts = await readParts(place, image.root, image.annotations, { signal });
  const documents = parts.documents.map(({ descriptor }) => descriptor);
  const referrers = [];
  for (const referrer of await collectReferrers(place, documents, { signal })) {
    referrers.push({ referrer, parts: await readParts(place, referrer.descriptor, {}, { signal }) });
  }
  const base = image.annotations[BASE_NAME];
  const bases = parts.omitted.size > 0 && base !== undefined ? [await registries.repository(base)] : [];
  const baseDigest = image.annotations[BASE_DIGEST];
  const named = base === undefined || baseDigest === undefined ? base : `${base}@${baseDigest}`;
  return { ...parts, referrers, sources: [place, ...blobs, ...bases], base: named };
}

/** To several registries at a time; into the repositories of one after another, so that the later ones take over what the first got. */
async function pushAll(
  planned: readonly Planned[],
  { concurrency = 4, mountFrom = [], signal, onProgress }: PromoteOptions,
  count: (size: number, by: PushedBy) => void,
): Promise<void> {
  const limit = pLimit(concurrency);
  const holders = new Map<Digest, RegistryRepository[]>();
  const repositories = new Map<RegistryRepository, Planned[]>();
  for (const image of planned) {
    for (const repository of new Set(image.targets.map((target) => target.repository))) {
      repositories.set(repository, [...(repositories.get(repository) ?? []), image]);
    }
  }
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const pushTo = async (host: string): Promise<void> => {
    for (const [repository, images] of repositories) {
      if (repository.host !== host) continue;
      for (const { image, cargo } of images) {
        onProgress?.({ kind: 'image', name: image.names[0] ?? image.root.digest });
        const onBlob = ({ size }: { size: number }, by: PushedBy): void => count(size, by);
        await pushContent(repository, cargo, {
          limit,
          holders,
          mountFrom,
          onBlob,
          onProgress,
          signal: either,
        });
      }
    }
  };
  const hosts = [...new Set([...repositories.keys()].map(({ host }) => host))];
  const pushing = hosts.map((host) =>
    pushTo(host).catch((error: unknown) => {
      stop.abort(error);
      throw error;
    }),
  );
  const results = await Promise.allSettled(pushing);
  signal?.throwIfAborted();
  if (results.some(({ status }) => status === 'rejected')) throw stop.signal.reason;
}

async function setTags(planned: Planned, { signal, ifAbsent }: PromoteOptions): Promise<PromotedImage> {
  const { image, id, targets, cargo } = planned;
  const { digest } = image.root;
  const root = cargo.documents.at(-1);
  const tags: PromotedTag[] = [];
  for (const { repository, tag } of targets) {
    const ref = `${repository.name}:${tag}`;
    // Asked once more: another may have set it meanwhile.
    const was = (await repository.describe(tag, { signal }))?.digest;
    if (ifAbsent === true) assertUnmoved(ref, was, image);
    if (was !== digest && root !== undefined) await repository.putManifest(root, tag, { signal });
    const status = was === undefined ? 'set' : was === digest ? 'present' : 'moved';
    tags.push({
      ref,
      digestRef: `${repository.name}@${digest}`,
      status,
      was: status === 'moved' ? (was ?? null) : null,
    });
  }
  return { name: image.names[0] ?? null, id, digest, tags };
}

function assertUnmoved(ref: string, was: Digest | undefined, { root }: StoredImage): void {
  if (was === undefined || was === root.digest) return;
  throw new DrayageError('UNSAFE', `${ref} is there already, and means ${was}`, {
    expected: root.digest,
    actual: was,
    hint: 'choose another tag, or leave --if-absent out to move it',
  });
}

function assertTagsAgree(planned: readonly Planned[]): void {
  const meant = new Map<string, Digest>();
  for (const { image, targets } of planned) {
    for (const { repository, tag } of targets) {
      const ref = `${repository.name}:${tag}`;
      const other = meant.get(ref) ?? image.root.digest;
      if (other !== image.root.digest) {
        throw new DrayageError('AMBIGUOUS', `${ref} would be two images: ${other} and ${image.root.digest}`, {
          candidates: [other, image.root.digest],
          hint: 'have {name} or {tag} in the references',
        });
      }
      meant.set(ref, other);
    }
  }
}

function whichImage(found: readonly PlacedImage[]): DrayageError {
  const candidates = found.map(({ image }) => image.names[0] ?? image.root.digest);
  return new DrayageError('AMBIGUOUS', `which image is to be promoted? there are ${found.length}`, {
    candidates,
    hint: `there is ${candidates.slice(0, 10).join(', ')}`,
  });
}

function warnOfZstd(planned: readonly Planned[], onProgress: OnProgress | undefined): void {
  const isZstd = planned.some(({ cargo }) =>
    cargo.blobs.some(({ mediaType }) => layerCompression(mediaType) === 'zstd'),
  );
  if (!isZstd) return;
  const message =
    'the layers are zstd: docker before 23 cannot pull them; for those, save with --compress gzip';
  onProgress?.({ kind: 'note', message });
}

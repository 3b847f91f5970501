import type { ContentSource } from '../../content/source.ts';
import type { OpenRepository } from '../../image/base-image.ts';
import { proveContents } from '../../image/prove-contents.ts';
import type { Digest } from '../../oci/digest.ts';
import { layerCompression } from '../../oci/media-types.ts';
import { CODECS } from '../../stream/codecs.ts';
import type { OnProgress } from '../../progress.ts';
import type { Planned } from './plan.ts';
import { plan } from './plan.ts';
import { byteCounter } from '../../image/copy.ts';
import { push } from './push.ts';
import type { PromotedTag } from './tags.ts';
import { assertTagsAgree, setTags } from './tags.ts';
import type { Registries } from '../../registry/registries.ts';
import type { RegistryRepository } from '../../registry/repository.ts';
import type { ImagePlace } from '../../content/image-index.ts';
import type { Selection } from '../../select/selection.ts';

/** An image, and the tags that it is to get. */
export interface Promotion {
  /** Its name or digest; default: the only image of all places. */
  image?: string | undefined;
  /** References with tags, of any number of registries: `registry.example/group/app:1.2`. Without a tag `latest` is meant. */
  to: readonly string[];
}

/** Options of {@link promote}. */
export interface PromoteOptions extends Omit<Selection, 'images' | 'as'> {
  /** Where the images are: layouts. */
  from: readonly ImagePlace[];
  promotions: readonly Promotion[];
  registries: Registries;
  /** Refuses to move a tag that means another image. Default false. */
  ifAbsent?: boolean | undefined;
  /**
   * What of all that refers to an image goes along although `authenticate` did not accept it: artifact types, types of what is
   * attested as annotations state them, `.sig`, `.att`, `.sbom`, or `all`. Default: nothing. Where nobody asks whose it is,
   * all of it goes along.
   */
  attach?: readonly string[] | undefined;
  /** Where else blobs may be that were left out of a layout. The registry of the base that an image names is looked at by itself. */
  blobs?: readonly ContentSource[] | undefined;
  /** Trusted base images, by reference: omitted layers that they state are not read. Default: none. */
  bases?: readonly string[] | undefined;
  /** Repositories that may hold blobs already: one of the same registry hands them over, so that they are not sent. */
  mountFrom?: readonly RegistryRepository[] | undefined;
  /** Hears what is going to be promoted, before anything is sent; an error that it throws is the end. */
  onPlanned?: ((images: readonly PlannedImage[]) => void | Promise<void>) | undefined;
  /** How many blobs go up at a time. Default 4. */
  concurrency?: number | undefined;
}

/** An image that is going to be promoted. */
export interface PlannedImage {
  /** The first of its names in its layout; null where it has none. */
  name: string | null;
  /** The config digest; of a multi-platform image that of the first. */
  id: Digest;
  /** The manifest's digest, or the index's: in the layout, and in each registry. */
  digest: Digest;
  /** `ref`: `registry.example/group/app:1.2`; `digestRef`: `registry.example/group/app@sha256:…` */
  tags: Pick<PromotedTag, 'ref' | 'digestRef'>[];
}

/** An image that was promoted. */
export interface PromotedImage extends PlannedImage {
  tags: PromotedTag[];
}

/** What came of {@link promote}. */
export interface PromoteResult {
  images: PromotedImage[];
  /** Stored bytes of blobs, each counted once for each repository; `total` is their sum. */
  bytes: { sent: number; mounted: number; present: number; total: number };
  seconds: number;
}

/**
 * Puts images into registries under the digest that they have here, with all platforms and with what refers to them: only
 * what a registry lacks. Every layer is proven first, unless the repository holds the image or somebody vouches for it. Tags
 * come last: where anything fails before, none has moved.
 * @throws {@link DrayageError} `USAGE`, `NOT_FOUND`, `AMBIGUOUS`, `POLICY`; `UNSAFE` where a tag would move that must not;
 * `INCOMPLETE`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `UNREACHABLE`, `TIMEOUT`
 */
export async function promote(options: PromoteOptions): Promise<PromoteResult> {
  const started = performance.now();
  const { onProgress } = options;
  const { bytes, onBlob } = byteCounter();
  const planned: Planned[] = [];
  for (const { image, to } of options.promotions) planned.push(await plan(image, to, options));
  assertTagsAgree(planned);
  await options.onPlanned?.(planned.map(describePlanned));
  for (const image of planned) await proveUnknown(image, options);
  noteUnread(planned, onProgress);
  await push(planned, { ...options, onBlob });
  const images: PromotedImage[] = [];
  for (const image of planned) {
    const { names } = image.image;
    const tags = await setTags(image, options);
    images.push({ name: names[0] ?? null, id: image.id, digest: image.root.digest, tags });
  }
  const { written: sent, mounted, reused: present } = bytes;
  const total = sent + mounted + present;
  return {
    images,
    bytes: { sent, mounted, present, total },
    seconds: (performance.now() - started) / 1000,
  };
}

/**
 * Proves the layers of an image, unless each repository that it goes to holds it already, or a signature was asked for: then
 * whoever signed has proven them. What a registry has of its blobs proves nothing.
 */
async function proveUnknown(
  { place, image, root, read, vouchers = [], targets }: Planned,
  { from, blobs = [], registries, bases, signal, onProgress }: PromoteOptions,
): Promise<void> {
  if (vouchers.length > 0) return;
  const repositories = [...new Set(targets.map(({ repository }) => repository))];
  const held = await Promise.all(repositories.map((repository) => repository.has(root, { signal })));
  if (held.every(Boolean)) return;
  const openRepository: OpenRepository = (reference) => registries.repository(reference);
  const others = [...blobs, ...from];
  await proveContents({ place, image, read }, { others, openRepository, bases, signal, onProgress });
}

/** Says once for each compression who cannot pull such layers. */
function noteUnread(planned: readonly Planned[], onProgress: OnProgress | undefined): void {
  const blobs = planned.flatMap(({ contents }) => [...contents.blobs, ...contents.omitted]);
  const types = new Set(blobs.map(({ mediaType }) => mediaType));
  for (const compression of new Set([...types].map((type) => layerCompression(type) ?? 'none'))) {
    const { unreadBy } = CODECS[compression];
    if (unreadBy === undefined) continue;
    const message = `the layers are ${compression}: ${unreadBy} cannot pull them`;
    onProgress?.({ kind: 'note', message, reason: 'UNREAD_CODEC' });
  }
}

function describePlanned({ image: { names }, root, id, targets }: Planned): PlannedImage {
  const tags = targets.map(({ repository: { name }, tag }) => ({
    ref: `${name}:${tag}`,
    digestRef: `${name}@${root.digest}`,
  }));
  return { name: names[0] ?? null, id, digest: root.digest, tags };
}

import type { ContentSource } from '../../content/source.ts';
import type { OpenRepository } from '../../image/base-image.ts';
import type { JobLayout } from '../../image/base-job.ts';
import type { OpenJob } from '../../image/open-base.ts';
import { proveContents } from '../../image/prove-contents.ts';
import type { Digest } from '../../oci/digest.ts';
import { layerCompression } from '../../oci/media-types.ts';
import { CODECS } from '../../stream/codecs.ts';
import type { OnProgress } from '../../progress.ts';
import { paced } from '../../progress.ts';
import type { OpenReference, Planned } from './plan.ts';
import { plan } from './plan.ts';
import { byteCounter } from '../../image/copy.ts';
import { holdersOf } from './holders.ts';
import { push } from './push.ts';
import type { PromotedTag } from './tags.ts';
import { assertTagsAgree, setTags } from './tags.ts';
import type { Registries } from '../../registry/registries.ts';
import type { RegistryRepository } from '../../registry/repository.ts';
import type { ImagePlace } from '../../content/image-index.ts';
import { permittedNames } from '../../select/select.ts';
import type { Selection } from '../../select/selection.ts';

/** An image and its new tags. */
export interface Promotion {
  /** Its name or digest; default: the only image of all places. */
  image?: string | undefined;
  /**
   * References with tags, of any number of registries: `registry.example/group/app:1.2`. The default tag is `latest`.
   */
  to: readonly string[];
}

/** Options of {@link promote}. */
export interface PromoteOptions extends Omit<Selection, 'images' | 'as'> {
  /** The layouts with the images. */
  from: readonly ImagePlace[];
  /** The images and their references, or the references of every image that has a name and may be used. */
  promotions: readonly Promotion[] | ((name: string) => readonly string[]);
  registries: Registries;
  /**
   * Opens the repository of an image's base if its registry is no target. It may refuse. Default: as `registries`
   * does.
   */
  openBase?: OpenRepository | undefined;
  /** Opens the artifact of an earlier job that omitted layers are in. Default: none is read. */
  openJob?: OpenJob | undefined;
  /**
   * Opens the image of a reference out of the daemon that has it: `takeReferred` into a store. Its layers are proven before
   * they are sent. Default: references are refused.
   */
  openReference?: OpenReference | undefined;
  /** Refuses to move a tag that means another image. Default false. */
  ifAbsent?: boolean | undefined;
  /**
   * Referrers to copy although `authenticate` did not accept them: artifact types, types of attested content as
   * annotations state them, `.sig`, `.att`, `.sbom`, or `all`. Default: none. Without `authenticate`, all referrers are
   * copied.
   */
  attach?: readonly string[] | undefined;
  /** Further places of omitted blobs. The registry of an image's base is used anyway. */
  blobs?: readonly ContentSource[] | undefined;
  /** Trusted base images, by reference: omitted layers that they state are not read. Default: none. */
  bases?: readonly string[] | undefined;
  /** Trusted layouts of earlier jobs: omitted layers that they state are not proven. Default: none. */
  baseJobs?: readonly JobLayout[] | undefined;
  /**
   * Repositories that may hold blobs already: a registry mounts blobs from its own repositories, so that they are not
   * sent.
   */
  mountFrom?: readonly RegistryRepository[] | undefined;
  /** Called with the planned images before anything is sent; an error that it throws stops the run. */
  onPlanned?: ((images: readonly PlannedImage[]) => void | Promise<void>) | undefined;
  /** How many blobs are uploaded at a time. Default 4. */
  concurrency?: number | undefined;
}

/** An image before it is promoted. */
export interface PlannedImage {
  /** The first of its names in its layout; null if it has none. */
  name: string | null;
  /** The config digest; for a multi-platform image that of the first image. */
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

/** Result of {@link promote}. */
export interface PromoteResult {
  images: PromotedImage[];
  /** Stored bytes of blobs, each counted once for each repository; `total` is their sum. */
  bytes: { sent: number; mounted: number; present: number; total: number };
  seconds: number;
}

/**
 * Copies images into registries under their digests, with all platforms and referrers: only content that a registry
 * lacks. Every layer is proven first, unless the repository holds the image or somebody vouches for it. Tags come last:
 * if anything fails before them, none has moved.
 * @throws {@link DrayageError} `USAGE`, `NOT_FOUND`, `AMBIGUOUS`, `POLICY`; `UNSAFE` if a tag would move that must not;
 * `INCOMPLETE`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `UNREACHABLE`, `TIMEOUT`
 * @example
 * ```ts
 * import { promote, Registries } from 'drayage';
 *
 * await using registries = new Registries(async () => ({ credentials }));
 * const promotions = [{ image: 'app:1', to: [`${registryHost}/group/app:1.2`] }];
 * const { images } = await promote({ from: [layout], promotions, registries });
 * console.log(images.flatMap(({ tags }) => tags.map(({ digestRef }) => digestRef)));
 * ```
 */
export async function promote(options: PromoteOptions): Promise<PromoteResult> {
  return paced(options, promoteSelected);
}

async function promoteSelected(options: PromoteOptions): Promise<PromoteResult> {
  const started = performance.now();
  const { onProgress } = options;
  const { bytes, onBlob } = byteCounter();
  const planned: Planned[] = [];
  for (const { image, to } of await promotionsOf(options)) planned.push(await plan(image, to, options));
  assertTagsAgree(planned);
  await options.onPlanned?.(planned.map(describePlanned));
  const held = new Map<Planned, ReadonlySet<RegistryRepository>>();
  for (const image of planned) held.set(image, await holdersOf(image, options));
  for (const image of planned) await proveUnknown(image, held.get(image), options);
  noteCodecs(planned, onProgress);
  await push(planned, { ...options, held, onBlob });
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

async function promotionsOf({
  promotions,
  from,
  ...selection
}: PromoteOptions): Promise<readonly Promotion[]> {
  if (typeof promotions !== 'function') return promotions;
  return (await permittedNames(from, selection)).map((image) => ({ image, to: promotions(image) }));
}

/**
 * Proves the layers of an image. Exceptions: every target repository holds the image already; or a signature was
 * required, and drayage made it: its signer has proven them but those that the signature lists as not read. A signature
 * that another tool made, and a registry that only has the blobs, prove nothing.
 */
async function proveUnknown(
  { content, image, root, read, elsewhere, vouchers = [], targets }: Planned,
  holders: ReadonlySet<RegistryRepository> = new Set(),
  { bases, baseJobs, signal, onProgress }: PromoteOptions,
): Promise<void> {
  // Not every signer reads layers.
  const provers = vouchers.filter(({ signed }) => signed?.layersRead !== false);
  const unread = new Set(provers.flatMap(({ signed }) => signed?.unreadLayers ?? []));
  if (provers.length > 0 && unread.size === 0) return;
  const only = provers.length > 0 ? unread : undefined;
  if (targets.every(({ repository }) => holders.has(repository))) return;
  onProgress?.({ kind: 'phase', phase: 'verifying' });
  const options = { ...elsewhere, bases, baseJobs, only, signal, onProgress };
  await proveContents({ content, image, root, read }, options);
}

/** Says once for each compression who cannot pull such layers. */
function noteCodecs(planned: readonly Planned[], onProgress: OnProgress | undefined): void {
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

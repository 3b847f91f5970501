import type { ImageEndpoint, ImageTags } from '../content/endpoint.ts';
import type { ImagePlace } from '../content/image-index.ts';
import type { ImageStore } from '../content/store.ts';
import { DrayageError } from '../errors.ts';
import type { OpenBase } from '../image/open-base.ts';
import type { CodecName } from '../ingest/codec.ts';
import type { ImageIdentity } from '../listing/unique-reference.ts';
import type { Digest } from '../oci/digest.ts';
import type { Registries } from '../registry/registries.ts';
import type { Selection } from '../select/selection.ts';
import { fetchImages } from './fetch.ts';
import type { LoadOptions } from './load/load.ts';
import { load } from './load/load.ts';
import type { PromoteOptions } from './promote/promote.ts';
import { promote } from './promote/promote.ts';
import { save } from './save/save.ts';
import { openDaemonPlace } from './save/sources/daemon-place.ts';
import type { SaveSource } from './save/sources/source.ts';

/** References in registries, to which images are copied. */
export interface RegistryTarget {
  registries: Registries;
  /**
   * References with tags, `registry.example/group/app:1.2`, for the only image or by the name of each. Default tag:
   * `latest`.
   */
  tags: readonly string[] | ((name: string) => readonly string[]);
}

/** Where images are copied to: a store, a daemon, or references in registries. */
export type CopyTarget = ImageStore | (ImageEndpoint & Pick<ImageTags, 'list'>) | RegistryTarget;

/**
 * Options of {@link copy}. `names`, `tags` and `lease` are for a daemon as the target, as of `load`; for any other they are refused.
 * `openReference` is for registries, as of `promote`.
 */
export interface CopyOptions
  extends
    Omit<Selection, 'as'>,
    Pick<LoadOptions, 'names' | 'tags' | 'lease'>,
    Pick<PromoteOptions, 'openReference'> {
  /** A daemon, an archive's bytes, or a place that holds images: a layout, a repository, an artifact. */
  from: SaveSource;
  to: CopyTarget;
  /**
   * Holds the images meanwhile: required from an archive to something other than a store, and from a daemon to a registry,
   * since their bytes pass once and must be checked before they are used. A temporary layout, or a `MemoryStore` for small
   * images. Default from daemon to daemon: nothing holds them, and the daemon saves them twice, once to check them.
   */
  through?: ImageStore | undefined;
  /** Opens the base of an image whose first layers its place omits. Default: that is an error. */
  openBase?: OpenBase | undefined;
  /** The compression of layers that a daemon or an archive gives out uncompressed. Default `auto`; from daemon to daemon they stay so. */
  compress?: CodecName | undefined;
  /** How many blobs are copied at a time. Default 4. */
  concurrency?: number | undefined;
}

/** An image that was copied. */
export interface CopiedImage {
  /** The first of its names in its source; null if it has none. */
  name: string | null;
  /** The config digest. */
  id: Digest;
  /** The manifest's digest, or the index's. */
  digest: Digest;
  /** What finds it at the target: its name or digest in a store, its unique tag in a daemon, its tags in registries. */
  refs: string[];
}

/** Result of {@link copy}. */
export interface CopyResult {
  images: CopiedImage[];
  seconds: number;
}

/**
 * Copies images from any place to any other, as `save`, `fetch`, `load` and `promote` do: selected and checked before the
 * first layer is read (from daemon to daemon: sent), each blob hashed, layers proven where a daemon or a registry gets them. A store gets all images or, after
 * any failure, none; a daemon or a registry may keep those that it got before the failure.
 * @throws {@link DrayageError} `USAGE` if `through` is missing, or for an option that its target does not have; the errors of these verbs
 * @example
 * ```ts
 * import { copy } from 'drayage';
 *
 * const { images } = await copy({ from: daemon, images: ['app:1'], to: layout });
 * console.log(images.map(({ digest }) => digest));
 * ```
 */
export async function copy(options: CopyOptions): Promise<CopyResult> {
  const started = performance.now();
  const images = await copyAny(options);
  return { images, seconds: (performance.now() - started) / 1000 };
}

async function copyAny(options: CopyOptions): Promise<CopiedImage[]> {
  const { from, to, through, concurrency } = options;
  refuseIgnored(options);
  if (isPlace(from)) return fromPlace(from, options);
  // Names of a save are those under which a build made the images.
  const saving = { ...options, from, names: undefined, concurrency: undefined };
  if (isStore(to)) return (await save({ ...saving, to })).images.map(inStore);
  if (through === undefined) {
    if ('load' in from && isEndpoint(to)) return fromDaemon(from, options);
    throw new DrayageError('USAGE', 'this copy from a daemon or an archive needs a store on the way', {
      hint: 'pass a store as `through`, such as a temporary layout',
    });
  }
  const saved = await save({ ...saving, to: through });
  // Only these: the store on the way may hold others, also under the same names.
  const digests = saved.images.map(({ digest }) => digest);
  return fromPlace(through, { ...options, images: digests, concurrency });
}

/** Refuses options of a load for other targets: an image would lack the name or the lease that the caller relies on. */
function refuseIgnored({ to, names, tags, lease }: CopyOptions): void {
  if (isEndpoint(to)) return;
  const [name] = Object.entries({ names, tags, lease }).find(([, value]) => value !== undefined) ?? [];
  if (name === undefined) return;
  throw new DrayageError('USAGE', `\`${name}\` of this copy has no meaning: its target is no daemon`, {
    hint: isStore(to) ? 'a store keeps the names of the source' : 'the tags of registries are part of `to`',
  });
}

/** From daemon to daemon: no layer is kept on the way. */
async function fromDaemon(from: ImageEndpoint, options: CopyOptions): Promise<CopiedImage[]> {
  await using place = await openDaemonPlace(from, options);
  return await fromPlace(place, { ...options, images: undefined });
}

async function fromPlace(place: ImagePlace, options: CopyOptions): Promise<CopiedImage[]> {
  const { to, openBase, ...selection } = options;
  const from = [place];
  if (isStore(to)) {
    const fetched = await fetchImages({ ...selection, from, to, complete: openBase });
    return fetched.images.map(inStore);
  }
  if (isEndpoint(to)) {
    const loaded = await load({ ...selection, from, to, openBase });
    return loaded.images.map(({ name, id, digest, ref }) => ({ name, id, digest, refs: [ref] }));
  }
  const { registries, tags } = to;
  const promotions =
    typeof tags === 'function'
      ? (options.images?.map((image) => ({ image, to: tags(image) })) ?? tags)
      : [{ image: only(options.images), to: tags }];
  const promoted = await promote({ ...selection, from, registries, promotions });
  return promoted.images.map(({ name, id, digest, tags: set }) => ({
    name,
    id,
    digest,
    refs: set.map(({ ref }) => ref),
  }));
}

/** The one image that gets all of the tags. */
function only(images: readonly string[] | undefined): string | undefined {
  if (images === undefined || images.length <= 1) return images?.[0];
  throw new DrayageError('AMBIGUOUS', `tags for one image, but ${images.length} images are chosen`, {
    reason: 'SEVERAL_IMAGES',
    hint: 'choose one, or make the tags a function of the name',
  });
}

function inStore({ name, id, digest }: ImageIdentity): CopiedImage {
  return { name, id, digest, refs: [name ?? digest] };
}

function isPlace(from: SaveSource): from is ImagePlace {
  return 'images' in from;
}

function isStore(to: CopyTarget): to is ImageStore {
  return 'update' in to;
}

function isEndpoint(to: CopyTarget): to is ImageEndpoint & Pick<ImageTags, 'list'> {
  return 'load' in to;
}

import type { ImageEndpoint, ImageTags, LoadResult, NamedImage } from '../../content/endpoint.ts';
import { DrayageError, isDrayageError } from '../../errors.ts';
import type { Image } from '../../image/image.ts';
import type { Leaseholder } from './lease.ts';
import { leaseReference } from './lease.ts';
import type { ImageIdentity, OnPlanned } from '../../listing/unique-reference.ts';
import { identify } from '../../listing/unique-reference.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Platform } from '../../oci/platform.ts';
import { normalizeName } from '../../oci/reference.ts';
import type { ImagePlace } from '../../content/image-index.ts';
import { imageFor } from '../../select/read.ts';
import { select } from '../../select/select.ts';
import type { SelectedImage, Selection } from '../../select/selection.ts';
import type { OpenBase } from '../../image/omitted-content.ts';
import { omittedContent } from '../../image/omitted-content.ts';

/** How often an image is loaded at most, when other jobs interfere. */
const MAX_ATTEMPTS = 3;

/**
 * Options of {@link load}. Default of `platform`: all images that the daemon can hold; if that is one, the image for
 * its platform.
 */
export interface LoadVerbOptions extends Selection {
  /** The layouts to load from. Layers that one omits are read from the others. */
  from: readonly ImagePlace[];
  /** Opens the base of an image whose first layers all of the layouts omit. Default: that is an error. */
  openBase?: OpenBase | undefined;
  /** The daemon. */
  to: ImageEndpoint & Pick<ImageTags, 'list'>;
  /**
   * The names of an image besides its unique tag: `restore` its saved names, as `docker load` does; `unique` none, for
   * a shared daemon. Default `restore`.
   */
  names?: 'restore' | 'unique' | undefined;
  /** Further names; they require exactly one image. */
  tags?: readonly string[] | undefined;
  /** Sends everything, whatever the daemon has. Default false: only what it lacks. */
  full?: boolean | undefined;
  /** The job that holds what it loads until it unloads it, beside other jobs of the same daemon. Default: no lease. */
  lease?: Leaseholder | undefined;
  /** Called before anything is sent. An error that it throws stops the load. */
  onPlanned?: OnPlanned | undefined;
}

/** A loaded image. */
export interface LoadedImage extends LoadResult, ImageIdentity {
  /** The names of {@link LoadVerbOptions.tags}. */
  tags: readonly string[];
  /** Stored bytes of all its layers. */
  bytesTotal: number;
}

/** Result of {@link load}. */
export interface LoadVerbResult {
  images: LoadedImage[];
  seconds: number;
}

/**
 * Puts images into a daemon and verifies them there. Each gets a unique tag first; its names move after it was
 * verified.
 * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `POLICY`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `DAEMON`;
 * `UNREACHABLE`, also for an unreadable base
 */
export async function load(options: LoadVerbOptions): Promise<LoadVerbResult> {
  const started = performance.now();
  const tags = (options.tags ?? []).map(normalizeName);
  const chosen = await select(options.from, options);
  if (tags.length > 0 && chosen.length > 1) {
    throw new DrayageError('AMBIGUOUS', `a tag for one image, but ${chosen.length} images are chosen`, {
      reason: 'SEVERAL_IMAGES',
      hint: 'choose one',
    });
  }
  const prefer = await options.to.platform(options);
  await options.onPlanned?.(
    chosen.map((placed) => ({ ...identityOf(placed, prefer), names: [...placed.image.names, ...tags] })),
  );
  const images: LoadedImage[] = [];
  for (const entry of chosen) images.push(await loadOne(entry, tags, prefer, options));
  return { images, seconds: (performance.now() - started) / 1000 };
}

async function loadOne(
  placed: SelectedImage,
  tags: readonly string[],
  prefer: Platform,
  options: LoadVerbOptions,
): Promise<LoadedImage> {
  const { signal, onProgress, openBase } = options;
  const { image: stored, root } = placed;
  const image = imageFor(placed, prefer);
  const identity = identityOf(placed, prefer);
  const { ref } = identity;
  onProgress?.({ kind: 'image', name: identity.name ?? ref });
  const source = omittedContent(placed, { signal, onProgress, openBase, others: options.from });
  const restored = options.names === 'unique' ? [] : stored.names;
  const wanted = [...new Set([ref, ...restored, ...tags])];
  const result = await putHeld(options, ref, wanted, async (names) =>
    options.to.load(root, source, names, {
      signal,
      full: options.full,
      onSent: (bytes) => onProgress?.({ kind: 'bytes', direction: 'sent', bytes }),
    }),
  );
  return { ...identity, ...result, tags, bytesTotal: layerBytes(image) };
}

function identityOf(placed: SelectedImage, prefer: Platform): ImageIdentity {
  return identify(placed.image, imageFor(placed, prefer).config.descriptor.digest);
}

/**
 * Loads an image under its names. With a leaseholder, each name comes after its lease: the daemon gets the image under
 * the first lease, so that it is held before anybody sees it. Another job may unload the same image at the same time.
 * Then the image may go after it was found and before it is held, a name may go with that job's lease, and podman may
 * fail over a half-removed image. In these cases the image is loaded again, a few times at most.
 */
async function putHeld(
  { to, lease, signal }: LoadVerbOptions,
  unique: string,
  names: readonly string[],
  put: (names: readonly string[]) => Promise<LoadResult>,
): Promise<LoadResult> {
  if (lease === undefined) return put(names);
  const images = await to.list({ signal });
  const held = names.flatMap((name) => [leaseReference(lease, unique, name, images), name]);
  for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
    try {
      const result = await put(held);
      if (hasNames(await to.list({ signal }), result.daemonId, held)) return result;
    } catch (error) {
      if (!isOfOthers(error)) throw error;
    }
  }
  return put(held);
}

/** Whether other jobs of a daemon may be the reason for a failed load. */
function isOfOthers(error: unknown): boolean {
  if (isDrayageError(error, 'DAEMON')) return error.facts.status === 500;
  return isDrayageError(error, 'NOT_FOUND');
}

/** Podman shows names in `localhost/` without that prefix. */
function hasNames(images: readonly NamedImage[], id: Digest, names: readonly string[]): boolean {
  const there = images.find((image) => image.id === id)?.names ?? [];
  return names.every((name) => there.includes(name) || there.includes(name.replace(/^localhost\//, '')));
}

function layerBytes(image: Image): number {
  return image.layers.reduce((sum, { blob }) => sum + blob.size, 0);
}

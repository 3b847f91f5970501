import type { ContentOptions, ImageEndpoint, LoadResult } from './content.ts';
import { DrayageError } from './errors.ts';
import type { Image } from './image.ts';
import { readImage } from './image.ts';
import { uniqueReference } from './naming.ts';
import type { Digest } from './oci/digest.ts';
import type { Platform } from './oci/platform.ts';
import { normalizeName } from './oci/reference.ts';
import type { OnProgress } from './progress.ts';
import type { ImagePlace, PlacedImage } from './selection.ts';
import { selectImages } from './selection.ts';

/** Options of {@link load}. */
export interface LoadVerbOptions extends ContentOptions {
  /** The layouts to load from. */
  from: readonly ImagePlace[];
  /** The daemon. */
  to: ImageEndpoint;
  /** Names or digests; default: all images. */
  images?: readonly string[] | undefined;
  /**
   * Which names an image gets beside its unique tag: `restore` those it was saved under, as `docker load` does, or `unique`
   * none, for a daemon that others share. Default `restore`.
   */
  names?: 'restore' | 'unique' | undefined;
  /** Further names; with any, exactly one image has to be chosen. */
  tags?: readonly string[] | undefined;
  /** Sends everything, whatever the daemon has. Default false: only what it lacks. */
  full?: boolean | undefined;
  /** Which image of a multi-platform one; default: all that the daemon can hold, the one for its platform where that is one. */
  platform?: Platform | undefined;
  onProgress?: OnProgress | undefined;
}

/** One image that was loaded. */
export interface LoadedImage extends LoadResult {
  /** The first of its names; null where it has none. */
  name: string | null;
  /** The unique tag. */
  ref: string;
  /** The config digest. */
  id: Digest;
  /** The manifest's digest, or the index's. */
  digest: Digest;
  /** Stored bytes of all its layers. */
  bytesTotal: number;
}

/** What came of {@link load}. */
export interface LoadVerbResult {
  images: LoadedImage[];
  seconds: number;
}

/**
 * Puts images into a daemon and verifies that they are there. Each gets a unique tag first; its names move after it was
 * verified.
 * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `DAEMON`, `UNREACHABLE`
 */
export async function load(options: LoadVerbOptions): Promise<LoadVerbResult> {
  const started = performance.now();
  const chosen = await selectImages(options.from, options.images);
  const tags = (options.tags ?? []).map(normalizeName);
  if (tags.length > 0 && chosen.length > 1) {
    throw new DrayageError('AMBIGUOUS', `a tag for one image, but ${chosen.length} are to be loaded`, {
      hint: 'choose one with --image',
    });
  }
  const prefer = await options.to.platform(options);
  const images: LoadedImage[] = [];
  for (const entry of chosen) images.push(await loadOne(entry, tags, prefer, options));
  return { images, seconds: (performance.now() - started) / 1000 };
}

async function loadOne(
  { place, image: stored }: PlacedImage,
  tags: readonly string[],
  prefer: Platform,
  options: LoadVerbOptions,
): Promise<LoadedImage> {
  const { signal, platform, onProgress } = options;
  const image = await readImage(place, stored.root, { signal, platform, prefer });
  const name = stored.names[0];
  const ref = uniqueReference(stored, image.config.descriptor.digest, name);
  onProgress?.({ kind: 'image', name: name ?? ref });
  const root = platform === undefined ? stored.root : image.manifest.descriptor;
  const restored = options.names === 'unique' ? [] : stored.names;
  const result = await options.to.load(root, place, [...new Set([ref, ...restored, ...tags])], {
    signal,
    full: options.full,
    onSent: (bytes) => onProgress?.({ kind: 'bytes', direction: 'sent', bytes }),
  });
  return {
    name: name ?? null,
    ref,
    id: image.config.descriptor.digest,
    digest: stored.root.digest,
    ...result,
    bytesTotal: layerBytes(image),
  };
}

function layerBytes(image: Image): number {
  return image.layers.reduce((sum, { blob }) => sum + blob.size, 0);
}

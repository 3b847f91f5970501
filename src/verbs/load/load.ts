import type {
  ImageEndpoint,
  ImageTags,
  LastingEndpoint,
  EndpointLoadResult,
} from '../../content/endpoint.ts';
import { DrayageError } from '../../errors.ts';
import type { Leaseholder } from './lease.ts';
import { loadReference } from './load-reference.ts';
import { putHeld } from './put-held.ts';
import type { ImageIdentity, OnPlanned } from '../../listing/unique-reference.ts';
import { identify } from '../../listing/unique-reference.ts';
import type { Platform } from '../../oci/platform.ts';
import { normalizeName } from '../../oci/reference.ts';
import type { ImagePlace } from '../../content/image-index.ts';
import { chainSources } from '../../content/source.ts';
import { imageFor } from '../../select/read.ts';
import { paced, startLayers } from '../../progress.ts';
import { selectAny } from '../../select/select.ts';
import type { Selected, SelectedImage, Selection } from '../../select/selection.ts';
import { isReferred } from '../../select/selection.ts';
import type { Layer } from '../../image/layer.ts';
import type { OpenBase } from '../../image/open-base.ts';
import type { OmittedContentOptions } from '../../image/omitted-content.ts';
import { omittedContent } from '../../image/omitted-content.ts';

/**
 * Options of {@link load}. Default of `platform`: all images that the daemon can hold; if that is one, the image for
 * its platform.
 */
export interface LoadOptions extends Selection {
  /** The layouts to load from. Layers that one omits are read from the others. */
  from: readonly ImagePlace[];
  /** Opens the base of an image whose first layers all of the layouts omit. Default: that is an error. */
  openBase?: OpenBase | undefined;
  /** The daemon. To load references it needs all of the methods: docker daemons have them. */
  to: ImageEndpoint & Pick<ImageTags, 'list'> & Partial<ImageTags & LastingEndpoint>;
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
export interface LoadedImage extends EndpointLoadResult, ImageIdentity {
  /** The names of {@link LoadOptions.tags}. */
  tags: readonly string[];
  /** Stored bytes of all its layers. */
  bytesTotal: number;
}

/** Result of {@link load}. */
export interface LoadResult {
  images: LoadedImage[];
  seconds: number;
}

/**
 * Puts images into a daemon and verifies them there. Each gets a unique tag first; its names move after it was
 * verified. Of a reference, the image must be in this daemon: it is held against the reference, and only gets names.
 * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `POLICY`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `DAEMON`;
 * `UNREACHABLE`, also for an unreadable base, and for a reference to an image that this daemon does not have
 * @example
 * ```ts
 * import { load } from 'drayage';
 *
 * const { images } = await load({ from: [layout], to: daemon, images: ['app:1'] });
 * console.log(images.map(({ ref, status }) => `${ref}: ${status}`));
 * ```
 */
export async function load(options: LoadOptions): Promise<LoadResult> {
  return paced(options, loadSelected);
}

async function loadSelected(options: LoadOptions): Promise<LoadResult> {
  const started = performance.now();
  const tags = (options.tags ?? []).map(normalizeName);
  const chosen = await selectAny(options.from, options);
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
  startLayers(
    options.onProgress,
    chosen.length,
    chosen.map((placed) => layersOf(placed, prefer).map(({ blob }) => blob)),
  );
  const others = [chainSources(options.from)];
  const images: LoadedImage[] = [];
  for (const entry of chosen) {
    const identity = identityOf(entry, prefer);
    const names = options.names === 'unique' ? [] : entry.image.names;
    const wanted = [...new Set([identity.ref, ...names, ...tags])];
    options.onProgress?.({ kind: 'image', name: identity.name ?? identity.ref });
    const result = isReferred(entry)
      ? await loadReference(entry, identity.ref, wanted, options)
      : await loadContent(entry, identity.ref, wanted, { ...options, others });
    images.push({ ...identity, ...result, tags, bytesTotal: bytesOf(layersOf(entry, prefer)) });
  }
  return { images, seconds: (performance.now() - started) / 1000 };
}

/** Loads an image whose layers are in the layouts. */
async function loadContent(
  placed: SelectedImage,
  unique: string,
  wanted: readonly string[],
  options: LoadOptions & Pick<OmittedContentOptions, 'others'>,
): Promise<EndpointLoadResult> {
  const { signal, onProgress, openBase, others } = options;
  const source = omittedContent(placed, { signal, onProgress, openBase, others });
  return putHeld(options, unique, wanted, async (names) =>
    options.to.load(placed.root, source, names, {
      signal,
      full: options.full,
      onProgress,
    }),
  );
}

function identityOf(placed: Selected, prefer: Platform): ImageIdentity {
  const id = isReferred(placed) ? placed.reference.id : imageFor(placed, prefer).config.descriptor.digest;
  return identify(placed.image, id);
}

/** A reference brings no layers. */
function layersOf(placed: Selected, prefer: Platform): readonly Layer[] {
  return isReferred(placed) ? [] : imageFor(placed, prefer).layers;
}

function bytesOf(layers: readonly Layer[]): number {
  return layers.reduce((sum, { blob }) => sum + blob.size, 0);
}

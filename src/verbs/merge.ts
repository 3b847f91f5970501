import type { ImagePlace } from '../content/image-index.ts';
import { chainSources } from '../content/source.ts';
import { withPlatform } from '../image/image.ts';
import type { ImageStore } from '../content/store.ts';
import type { ImageIdentity, OnPlanned } from '../listing/unique-reference.ts';
import { withOrigin } from '../ci/origin.ts';
import { configPlatform } from '../oci/config.ts';
import type { PlannedCopy } from './copy-selected.ts';
import { copySelected } from './copy-selected.ts';
import { omittedContent } from '../image/omitted-content.ts';
import { contentsOf } from '../image/contents.ts';
import { statedLayers } from '../image/stated-layers.ts';
import { keptAnnotations } from '../image/omitted-layers.ts';
import { formatPlatform } from '../oci/platform.ts';
import { paced } from '../progress.ts';
import { presentEach } from '../select/present.ts';
import { joinPlaces, referrersAcross } from '../select/places.ts';
import { selectAny } from '../select/select.ts';
import type { Selected, Selection } from '../select/selection.ts';
import { isReferred } from '../select/selection.ts';

/** Options of {@link merge}. */
export interface MergeOptions extends Selection {
  /** The layouts to merge. */
  from: readonly ImagePlace[];
  /** The layout to merge into. Its content stays, except for names that move to merged images. */
  to: ImageStore;
  /** Annotations for every image, such as the origin of the merging job. */
  annotations?: Readonly<Record<string, string>> | undefined;
  /** Called before the layout changes. An error that it throws stops the merge. */
  onPlanned?: OnPlanned | undefined;
}

/** An image of the merged layout. */
export interface MergedImage extends ImageIdentity {
  /** `os/architecture[/variant]` of each image, in the order of the index. */
  platforms: string[];
}

/** Result of {@link merge}. */
export interface MergeResult {
  /** The layout's folder. */
  layout: string;
  images: MergedImage[];
  /** Stored bytes of all blobs, each counted once: those that were copied, and those that were present. */
  bytes: { copied: number; reused: number; total: number };
  seconds: number;
}

/**
 * Makes one layout of several: all of it, or, after any failure, nothing. An image that several of them hold is copied
 * once. Images of several platforms under one name become one image index, whose bytes depend only on these images.
 * Referrers of an image and of its parts are copied, too. Blobs are copied as they are, checked against their
 * digests, and proven to be the layers that they stand for. References to images in daemons stay references.
 * @throws {@link DrayageError} `AMBIGUOUS` if one name means different images for one platform; `UNSAFE` if such images
 * omit different layers; `NOT_FOUND`, `POLICY`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `INCOMPLETE`, `MALFORMED`,
 * `LOCKED`, `IO`
 * @example
 * ```ts
 * import { merge } from 'drayage';
 *
 * const { images } = await merge({ from: [layout, other], to: empty });
 * console.log(images.map(({ name, platforms }) => `${name}: ${platforms.join(', ')}`));
 * ```
 */
export async function merge(options: MergeOptions): Promise<MergeResult> {
  return paced(options, mergeSelected);
}

async function mergeSelected(options: MergeOptions): Promise<MergeResult> {
  const started = performance.now();
  const { from, to, signal } = options;
  const everywhere = joinPlaces(from);
  const chosen = await presentEach(await selectAny(from, options), [everywhere], { signal });
  const index = referrersAcross(from);
  const plan = async (placed: Selected): Promise<PlannedCopy> => {
    const { content, image, root } = placed;
    const held = chainSources([content, everywhere]);
    const contents = await contentsOf(held, root, { annotations: image.annotations, signal });
    if (isReferred(placed)) {
      const annotations = withOrigin(image.annotations, options.annotations);
      return { contents, source: content, index, root, annotations };
    }
    // An omitted layer from another layout must be the layer that it stands for.
    const filled = omittedContent(placed, { signal, others: [everywhere] });
    const source = chainSources([filled, everywhere]);
    // The merged layout calls the images its own: their layers must be what their configs state.
    const present = new Set(contents.blobs.map(({ digest }) => digest));
    const all = await statedLayers(source, contents, { signal });
    const layers = all.filter(({ blob }) => present.has(blob.digest));
    const annotations = withOrigin(keptAnnotations(image.annotations, contents), options.annotations);
    return {
      contents,
      layers,
      source,
      index,
      root: withPlatform(root, placed.read[0].config.value),
      annotations,
    };
  };
  const { copied: images, bytes } = await copySelected(chosen, to, plan, options);
  const { written: copied, reused } = bytes;
  return {
    layout: to.location,
    images: images.map(({ placed, identity }) => ({ ...identity, platforms: platformsOf(placed) })),
    bytes: { copied, reused, total: copied + reused },
    seconds: (performance.now() - started) / 1000,
  };
}

function platformsOf(placed: Selected): string[] {
  if (isReferred(placed)) return [formatPlatform(placed.reference.platform)];
  return placed.read.map(({ config }) => formatPlatform(configPlatform(config.value)));
}

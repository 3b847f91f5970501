import { layerOrigins } from '../image/footprint.ts';
import type { Image } from '../image/image.ts';
import type { ImageConfig } from '../oci/config.ts';
import { configPlatform } from '../oci/config.ts';
import type { Digest } from '../oci/digest.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { ImagePlace } from '../content/image-index.ts';
import { selectEach } from '../select/select.ts';
import type { Selection } from '../select/selection.ts';

/** One side of a comparison. */
export interface DiffSide {
  place: ImagePlace;
  /** As in {@link Selection}. */
  images?: readonly string[] | undefined;
}

/** Options of {@link diff}. */
export interface DiffOptions extends Omit<Selection, 'images' | 'as'> {
  a: DiffSide;
  b: DiffSide;
}

/** A layer of a {@link DiffResult}: one layer in any compression, identified by its diffID. */
export interface DiffLayer {
  diffId: Digest;
  /** Stored bytes; for a shared layer those in A. */
  size: number;
  /** The instruction that made it, if the history says. */
  createdBy: string | null;
}

/** A difference between the configs of an image of A and one of B. */
export interface ConfigDifference {
  /** What the two images have in common: a name and a platform, or only a platform if each side has one image. */
  image: string;
  /** The path of the changed property: `config.Env`, `architecture`. */
  path: string;
  /** JSON values; absent if the config does not have the property. */
  a?: unknown;
  b?: unknown;
}

/** Result of {@link diff}. */
export interface DiffResult {
  layers: { shared: DiffLayer[]; onlyA: DiffLayer[]; onlyB: DiffLayer[] };
  /** Stored bytes of these layers, each counted once. */
  bytes: { shared: number; onlyA: number; onlyB: number };
  /** For images that can be compared. */
  config: ConfigDifference[];
  /** Names with platforms that only one side has. */
  images: { onlyA: string[]; onlyB: string[] };
}

/** Properties that follow from the layers, and are reported with them. */
const DERIVED = new Set(['rootfs', 'history']);

/**
 * Compares two layouts, or two images: layers by their content, and the configs of images that share a name or are the
 * only ones. Reads no layer.
 * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `MALFORMED`; errors of a place for damaged content
 * @example
 * ```ts
 * import { diff } from 'drayage';
 *
 * const { layers, config } = await diff({ a: { place: layout }, b: { place: other } });
 * console.log(`${layers.shared.length} layers in common, ${config.length} differences of configs`);
 * ```
 */
export async function diff({ a, b, ...selection }: DiffOptions): Promise<DiffResult> {
  const [ofA, ofB] = [await readSide(a, selection), await readSide(b, selection)];
  const [layersA, layersB] = [layersOf(ofA), layersOf(ofB)];
  const layers = {
    shared: [...layersA.values()].filter(({ diffId }) => layersB.has(diffId)),
    onlyA: [...layersA.values()].filter(({ diffId }) => !layersB.has(diffId)),
    onlyB: [...layersB.values()].filter(({ diffId }) => !layersA.has(diffId)),
  };
  const { pairs, onlyA, onlyB } = pairUp(ofA, ofB);
  return {
    layers,
    bytes: { shared: sum(layers.shared), onlyA: sum(layers.onlyA), onlyB: sum(layers.onlyB) },
    config: pairs.flatMap(({ label, one, other }) => configDifferences(label, one, other)),
    images: { onlyA, onlyB },
  };
}

/** The images of a side, each with its label. */
interface SideImage {
  labels: string[];
  platform: string;
  image: Image;
}

async function readSide({ place, images }: DiffSide, selection: Selection): Promise<SideImage[]> {
  const selected = await selectEach([place], { ...selection, images });
  return selected.flatMap(({ image: { names }, read }) =>
    read.map((image) => {
      const platform = formatPlatform(configPlatform(image.config.value));
      return { image, platform, labels: names.map((name) => `${name} (${platform})`) };
    }),
  );
}

function layersOf(images: readonly SideImage[]): ReadonlyMap<Digest, DiffLayer> {
  const layers = new Map<Digest, DiffLayer>();
  for (const { image } of images) {
    const origins = layerOrigins(image);
    for (const [i, { diffId, blob }] of image.layers.entries()) {
      const createdBy = origins[i]?.createdBy ?? null;
      layers.set(diffId, layers.get(diffId) ?? { diffId, size: blob.size, createdBy });
    }
  }
  return layers;
}

/** Pairs images of one name and platform, and the only ones of each side. */
function pairUp(
  ofA: readonly SideImage[],
  ofB: readonly SideImage[],
): { pairs: { label: string; one: Image; other: Image }[]; onlyA: string[]; onlyB: string[] } {
  const [a, b] = [ofA[0], ofB[0]];
  if (ofA.length === 1 && ofB.length === 1 && a !== undefined && b !== undefined) {
    const label = a.labels.find((one) => b.labels.includes(one)) ?? a.platform;
    return { pairs: [{ label, one: a.image, other: b.image }], onlyA: [], onlyB: [] };
  }
  const labelled = (side: readonly SideImage[]): Map<string, Image> =>
    new Map(side.flatMap(({ labels, image }) => labels.map((label) => [label, image])));
  const [mapA, mapB] = [labelled(ofA), labelled(ofB)];
  const pairs = [...mapA].flatMap(([label, one]) => {
    const other = mapB.get(label);
    return other === undefined ? [] : [{ label, one, other }];
  });
  return {
    pairs,
    onlyA: [...mapA.keys()].filter((label) => !mapB.has(label)),
    onlyB: [...mapB.keys()].filter((label) => !mapA.has(label)),
  };
}

function configDifferences(image: string, one: Image, other: Image): ConfigDifference[] {
  if (one.config.descriptor.digest === other.config.descriptor.digest) return [];
  const [a, b] = [flatten(one.config.value), flatten(other.config.value)];
  const paths = [...new Set([...a.keys(), ...b.keys()])].toSorted();
  return paths
    .filter((path) => JSON.stringify(a.get(path)) !== JSON.stringify(b.get(path)))
    .map((path) => ({
      image,
      path,
      ...(a.has(path) && { a: a.get(path) }),
      ...(b.has(path) && { b: b.get(path) }),
    }));
}

/** The properties of a config, including each property of its `config`. Null counts as absent. */
function flatten(config: ImageConfig): Map<string, unknown> {
  const own = Object.entries(config).filter(([key]) => key !== 'config' && !DERIVED.has(key));
  const inner = Object.entries(config.config ?? {}).map(([key, value]) => [`config.${key}`, value] as const);
  return new Map([...own, ...inner].filter(([, value]) => value !== null && value !== undefined));
}

function sum(layers: readonly DiffLayer[]): number {
  return layers.reduce((bytes, { size }) => bytes + size, 0);
}

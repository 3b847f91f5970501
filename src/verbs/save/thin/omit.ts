import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { SavedLayer } from '../../../content/layer.ts';
import type { ContentOptions } from '../../../content/source.ts';
import { images } from '../../../image/image.ts';
import type { LayoutTransaction } from '../../../layout/transaction.ts';
import { OMITTED_LAYERS } from '../../../image/annotations.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import { omittedBlobs, omittedLayers } from '../../../image/omitted-layers.ts';
import type { LayerBase } from './layer-base.ts';

/** What is known of a layer's blob. */
interface Whereabouts {
  /** The layout had it before. */
  isStored: boolean;
  /** It may be left out: a base of the image has it, or it was left out where the image comes from. */
  isElsewhere: boolean;
  /** Where it can be read. */
  base?: LayerBase;
}

/** Options of {@link leaveOut}. */
interface LeaveOutOptions extends ContentOptions {
  /** Further bases, whose layers were counted as held: what only they have is brought in. */
  spare?: readonly LayerBase[];
}

/**
 * Decides how many of the first layers of an image are left out: as many as can be had elsewhere or are here already. What
 * only a base has of the other layers is brought in.
 * @returns the image as it is to be added: annotated, with what became of each layer
 * @throws {@link DrayageError} whatever a base says of content that cannot be read
 */
export async function leaveOut(
  arrival: ArrivedImage,
  content: LayoutTransaction,
  bases: readonly LayerBase[],
  options: LeaveOutOptions = {},
): Promise<ArrivedImage> {
  const { [OMITTED_LAYERS]: _, ...annotations } = arrival.annotations;
  const stacks: Descriptor[][] = [];
  for await (const { manifest } of images(content, arrival.root, options)) stacks.push(manifest.value.layers);
  const found = await locate(arrival, stacks, content, bases, options);
  const count = Math.min(...stacks.map((layers) => countOmitted(layers, found)));
  const leftOut = new Set(stacks.flatMap((layers) => [...omittedBlobs(layers, count)]));
  for (const digest of leftOut) if (found.get(digest)?.isStored === true) leftOut.delete(digest);
  const needed = stacks.flatMap((layers) => neededBlobs(layers, count));
  const brought = await bringIn(needed, found, content, options);
  const layers = arrival.layers.map((layer) => told(layer, leftOut, brought));
  if (leftOut.size === 0) return { ...arrival, annotations, layers };
  for (const base of bases.toReversed()) Object.assign(annotations, base.annotationsFor(leftOut));
  return { ...arrival, annotations: { ...annotations, [OMITTED_LAYERS]: String(count) }, layers };
}

async function locate(
  { root, annotations }: ArrivedImage,
  stacks: readonly Descriptor[][],
  content: LayoutTransaction,
  bases: readonly LayerBase[],
  options: LeaveOutOptions,
): Promise<Map<Digest, Whereabouts>> {
  const blobs = new Map(stacks.flat().map((blob) => [blob.digest, blob]));
  const stored = await content.findBlobs([...blobs.values()], options);
  const before = omittedLayers(annotations, root.digest);
  const absent = new Set(stacks.flatMap((layers) => [...omittedBlobs(layers, before)]));
  const found = new Map<Digest, Whereabouts>();
  for (const blob of blobs.values()) {
    const { digest } = blob;
    const isStored = stored.get(digest)?.blob.digest === digest;
    const own = isStored ? undefined : await holder(digest, bases, options);
    const base = own ?? (isStored ? undefined : await holder(digest, options.spare ?? [], options));
    const wasLeftOut = absent.has(digest) && !(await content.has(blob, options));
    found.set(digest, { isStored, isElsewhere: own !== undefined || wasLeftOut, base });
  }
  return found;
}

async function holder(
  digest: Digest,
  bases: readonly LayerBase[],
  options: ContentOptions,
): Promise<LayerBase | undefined> {
  for (const base of bases) if (await base.findBlob(digest, options)) return base;
  return undefined;
}

/** Up to the last layer that is elsewhere, with none below it that is neither there nor here. */
function countOmitted(layers: readonly Descriptor[], found: ReadonlyMap<Digest, Whereabouts>): number {
  const known = layers.map(({ digest }) => found.get(digest));
  const end = known.findIndex((where) => where?.isStored !== true && where?.isElsewhere !== true);
  return known.slice(0, end < 0 ? undefined : end).findLastIndex((where) => where?.isStored === false) + 1;
}

function neededBlobs(layers: readonly Descriptor[], count: number): Descriptor[] {
  const leftOut = omittedBlobs(layers, count);
  return layers.filter(({ digest }) => !leftOut.has(digest));
}

async function bringIn(
  needed: readonly Descriptor[],
  found: ReadonlyMap<Digest, Whereabouts>,
  content: LayoutTransaction,
  options: ContentOptions,
): Promise<Set<Digest>> {
  const brought = new Set<Digest>();
  for (const blob of needed) {
    const source = found.get(blob.digest)?.base?.source;
    if (source === undefined) continue;
    const bytes = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      brought.add(blob.digest);
      yield* await source.open(blob, options);
    };
    await content.put(blob, bytes(), options);
  }
  return brought;
}

function told(layer: SavedLayer, leftOut: ReadonlySet<Digest>, brought: ReadonlySet<Digest>): SavedLayer {
  if (leftOut.has(layer.digest)) return { ...layer, status: 'omitted' };
  return brought.has(layer.digest) ? { ...layer, status: 'written' } : layer;
}

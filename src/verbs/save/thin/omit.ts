import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { SavedLayer } from '../../../content/layer.ts';
import type { ContentOptions } from '../../../content/source.ts';
import type { StoreTransaction } from '../../../content/store.ts';
import type { CopiedBy } from '../../../image/copy.ts';
import { copyContents, intoSink } from '../../../image/copy.ts';
import type { Holdings } from '../../../image/holdings.ts';
import { images } from '../../../image/image.ts';
import type { Layer } from '../../../image/layer.ts';
import type { JobPlace } from '../../../image/base-jobs.ts';
import { baseJobsOf } from '../../../image/base-jobs.ts';
import { omissionOf, omittedBlobs, withOmission } from '../../../image/omitted-layers.ts';
import { proveAll } from '../../../image/prove.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { Base } from './base.ts';
import { findInBases } from './base.ts';

/** What is known about a layer's blob. */
interface Whereabouts {
  /** The store had it before. */
  isStored: boolean;
  /** Whether it may be omitted: a base of the image has it, or the image's own place omits it. */
  isElsewhere: boolean;
  /** The job whose artifact has it: then it is omitted wherever it is among the layers. */
  job?: JobPlace | undefined;
  /** Where it can be read. */
  base?: Base;
}

/** Options of {@link omitLayers}. */
export interface OmitLayersOptions extends ContentOptions {
  content: StoreTransaction;
  /** What the store had before. */
  holdings: Pick<Holdings, 'findBlobs'>;
  /** Layers of these bases may be omitted. */
  bases: readonly Base[];
  /** Further bases, whose layers were counted as held: layers that only they have are copied. */
  spare?: readonly Base[];
}

/**
 * Decides which layers of an image are omitted: as many of the first ones as another place or this store has, and those
 * that are in the artifact of a job. Other layers that only a base has are copied, and proven.
 * @returns the image to add: annotated, with the status of each layer
 * @throws {@link DrayageError} errors of a base for unreadable content; as {@link proveAll}
 */
export async function omitLayers(image: ArrivedImage, options: OmitLayersOptions): Promise<ArrivedImage> {
  const { content, bases, signal } = options;
  const stacks: Layer[][] = [];
  for await (const { layers } of images(content, image.root, { signal })) stacks.push(layers);
  const found = await locate(image, stacks, options);
  const count = Math.min(...stacks.map((layers) => countOmitted(layers, found)));
  const below = new Set(stacks.flatMap((layers) => digestsOf(layers, count)));
  const jobs = jobsOf(found);
  const omitted = stacks
    .flat()
    .filter(
      ({ blob: { digest } }) =>
        (below.has(digest) && found.get(digest)?.isStored !== true) || jobs.has(digest),
    );
  const needed = stacks.flatMap((layers) => {
    const own = new Set(digestsOf(layers, count));
    return layers.filter(({ blob }) => !own.has(blob.digest) && !jobs.has(blob.digest));
  });
  const brought = await copyFromBases(needed, found, content, { signal });
  const digests = new Set(digestsOf(omitted));
  const layers = image.layers.map((layer) => told(layer, digests, brought));
  const said = bases.toReversed().map((base) => base.annotationsFor(omitted));
  const stated = omissionOf(omitted.some(({ blob }) => !jobs.has(blob.digest)) ? count : 0, jobs);
  const annotations = withOmission(Object.assign({}, image.annotations, ...said), stated);
  return { ...image, annotations, layers };
}

async function locate(
  image: ArrivedImage,
  stacks: readonly Layer[][],
  { content, holdings, bases, spare = [], signal }: OmitLayersOptions,
): Promise<Map<Digest, Whereabouts>> {
  const layers = new Map(stacks.flat().map((layer) => [layer.blob.digest, layer]));
  const stored = await holdings.findBlobs(blobsOf([...layers.values()]));
  const absent = new Set(stacks.flatMap((stack) => [...omittedBlobs(blobsOf(stack), image)]));
  const known = baseJobsOf(image);
  const found = new Map<Digest, Whereabouts>();
  for (const [digest, layer] of layers) {
    const isStored = stored.get(digest)?.blob.digest === digest;
    const own = isStored ? undefined : await findInBases(bases, [layer], { signal });
    const other = own ?? (isStored ? undefined : await findInBases(spare, [layer], { signal }));
    const wasOmitted = absent.has(digest) && !(await content.has(layer.blob, { signal }));
    const job = isStored
      ? undefined
      : (own?.base.jobOf?.(layer) ?? (wasOmitted ? known.get(digest) : undefined));
    found.set(digest, { isStored, isElsewhere: own !== undefined || wasOmitted, job, base: other?.base });
  }
  return found;
}

function jobsOf(found: ReadonlyMap<Digest, Whereabouts>): Map<Digest, JobPlace> {
  const jobs = new Map<Digest, JobPlace>();
  for (const [digest, { job }] of found) if (job !== undefined) jobs.set(digest, job);
  return jobs;
}

/** Up to the last layer that is elsewhere and not in a job's artifact, if every layer below it is there or here. */
function countOmitted(layers: readonly Layer[], found: ReadonlyMap<Digest, Whereabouts>): number {
  const known = layers.map(({ blob }) => found.get(blob.digest));
  const end = known.findIndex((where) => where?.isStored !== true && where?.isElsewhere !== true);
  const below = known.slice(0, end < 0 ? undefined : end);
  return below.findLastIndex((where) => where?.isStored === false && where.job === undefined) + 1;
}

/** The blobs of the first layers. */
function digestsOf(layers: readonly Layer[], count?: number): Digest[] {
  return blobsOf(layers.slice(0, count)).map(({ digest }) => digest);
}

function blobsOf(layers: readonly Layer[]): Descriptor[] {
  return layers.map(({ blob }) => blob);
}

/** @returns the blobs that were read; others were there already */
async function copyFromBases(
  needed: readonly Layer[],
  found: ReadonlyMap<Digest, Whereabouts>,
  content: StoreTransaction,
  options: ContentOptions,
): Promise<Set<Digest>> {
  const brought = new Set<Digest>();
  const onBlob = ({ digest }: Descriptor, by: CopiedBy): void =>
    void (by === 'written' && brought.add(digest));
  const baseOf = ({ blob }: Layer): Base | undefined => found.get(blob.digest)?.base;
  for (const base of new Set(needed.flatMap((layer) => baseOf(layer) ?? []))) {
    const layers = needed.filter((layer) => baseOf(layer) === base);
    const contents = { blobs: blobsOf(layers), documents: [] };
    await copyContents(contents, intoSink(base.source, content), { ...options, onBlob });
    await proveAll(content, layers, options);
  }
  return brought;
}

function told(layer: SavedLayer, omitted: ReadonlySet<Digest>, brought: ReadonlySet<Digest>): SavedLayer {
  if (omitted.has(layer.digest)) return { ...layer, status: 'omitted' };
  return brought.has(layer.digest) ? { ...layer, status: 'written' } : layer;
}

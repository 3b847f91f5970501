import pLimit from 'p-limit';
import type { ContentOptions, ContentSource, StoredImage } from './content.ts';
import type { Checked } from './image.ts';
import { closure, isImageManifest, readImage } from './image.ts';
import type { Layout } from './layout/layout.ts';
import type { LayoutTransaction } from './layout/transaction.ts';
import { uniqueReference } from './naming.ts';
import { OMITTED_LAYERS } from './oci/annotations.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';
import { isNonDistributable } from './oci/media-types.ts';
import { omittedBlobs, omittedLayers } from './oci/omitted-layers.ts';
import type { OnProgress } from './progress.ts';
import type { ImagePlace, PlacedImage } from './selection.ts';
import { selectImages } from './selection.ts';
import { once, tap } from './stream/tap.ts';
import type { OpenBase } from './thin/whole-content.ts';
import { wholeContent } from './thin/whole-content.ts';

/** Options of {@link fetch}. */
export interface FetchOptions extends ContentOptions {
  /** Where the images are: the layouts in a job's artifact. */
  from: readonly ImagePlace[];
  /** Names or digests; default: all images. */
  images?: readonly string[] | undefined;
  /** The layout that they come into. */
  to: Layout;
  /** How many blobs are fetched at a time. Default 4. */
  concurrency?: number | undefined;
  /**
   * Fetches also the layers that are left out on purpose, from the other places or from the base that this opens. The images
   * are complete then. Default: what is left out there is left out here.
   */
  complete?: OpenBase | undefined;
  /** Further places that may have what is left out; they are asked first. */
  others?: readonly ContentSource[] | undefined;
  onProgress?: OnProgress | undefined;
}

/** One image that was fetched. */
export interface FetchedImage {
  /** The first of its names; null where it has none. */
  name: string | null;
  /** The unique tag that it gets when it is loaded. */
  ref: string;
  /** The config digest. */
  id: Digest;
  /** The manifest's digest, or the index's. */
  digest: Digest;
}

/** What came of {@link fetch}. */
export interface FetchResult {
  /** The layout's folder. */
  layout: string;
  images: FetchedImage[];
  /** Stored bytes of all blobs, each counted once: those that were fetched, and those that were there already. */
  bytes: { fetched: number; reused: number; total: number };
  seconds: number;
}

/** What an image consists of. */
interface Parts {
  documents: Checked<unknown>[];
  /** Configs, layers and whatever else manifests name; without layers that were left out on purpose. */
  blobs: Descriptor[];
  /** Where they are read. */
  content: ContentSource;
}

/**
 * Brings images into a layout, with what refers to them: only the blobs that it lacks, several at a time, each checked. All
 * of them, or, after any failure, nothing. The bytes, the names and the annotations stay as they are.
 * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `INCOMPLETE`, `UNREACHABLE`,
 * `TIMEOUT`, `IO`
 */
export async function fetch(options: FetchOptions): Promise<FetchResult> {
  const started = performance.now();
  const { from, to, onProgress, signal } = options;
  const chosen = await selectImages(from, options.images);
  const counted = new Map<Digest, { size: number; fetched: boolean }>();
  const images = await to.update(async (content) => {
    const fetched: FetchedImage[] = [];
    for (const placed of chosen) {
      onProgress?.({ kind: 'image', name: placed.image.names[0] ?? placed.image.root.digest });
      const referrers = await placed.place.referrers(placed.image.root, { signal });
      for (const root of [placed.image.root, ...referrers])
        await fetchRoot(placed, root, content, counted, options);
      for (const referrer of referrers) content.add(referrer, [], {});
      const { [OMITTED_LAYERS]: _, ...whole } = placed.image.annotations;
      const annotations = options.complete === undefined ? placed.image.annotations : whole;
      fetched.push(await addImage({ ...placed.image, annotations }, content, options));
    }
    return fetched;
  }, options);
  const sizes = [...counted.values()];
  const sum = (fetched: boolean): number =>
    sizes.reduce((total, blob) => total + (blob.fetched === fetched ? blob.size : 0), 0);
  const bytes = { fetched: sum(true), reused: sum(false), total: sum(true) + sum(false) };
  return { layout: to.path, images, bytes, seconds: (performance.now() - started) / 1000 };
}

/** Blobs first: what names others comes when they are there. */
async function fetchRoot(
  placed: PlacedImage,
  root: Descriptor,
  content: LayoutTransaction,
  counted: Map<Digest, { size: number; fetched: boolean }>,
  options: FetchOptions,
): Promise<void> {
  const { concurrency = 4, signal, onProgress } = options;
  const { documents, blobs, content: source } = await partsOf(placed, root, options);
  const missing = blobs.filter(({ digest }) => !counted.has(digest));
  const limit = pLimit(concurrency);
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const fetchBlob = async (descriptor: Descriptor): Promise<void> => {
    let fetched = false;
    // The layout says whether what it has is intact; only if not is the blob asked for.
    const bytes = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      fetched = true;
      const stream = await source.open(descriptor, { signal: either });
      yield* tap(stream, ({ length }) => onProgress?.({ kind: 'bytes', direction: 'read', bytes: length }));
    };
    await content.put(descriptor, bytes(), { signal: either });
    counted.set(descriptor.digest, { size: descriptor.size, fetched });
  };
  try {
    await Promise.all(missing.map((descriptor) => limit(() => fetchBlob(descriptor))));
  } catch (error) {
    limit.clearQueue();
    stop.abort(error);
    throw error;
  }
  for (const { descriptor, bytes } of documents) await content.put(descriptor, once(bytes), { signal });
}

/** What a root consists of, as far as its place holds it where it may be absent. */
async function partsOf(
  placed: PlacedImage,
  root: Descriptor,
  { from, others = [], complete, signal, onProgress }: FetchOptions,
): Promise<Parts> {
  const { place, image } = placed;
  const documents: Checked<unknown>[] = [];
  const blobs = new Map<Digest, Descriptor>();
  const omitted = complete === undefined ? omittedLayers(image.annotations, image.root.digest) : 0;
  for await (const node of closure(place, root, { signal })) {
    if (node.kind === 'index' || node.kind === 'manifest') documents.push(node.document);
    if (node.kind !== 'manifest') continue;
    const { config, layers } = node.document.value;
    const leftOut = omittedBlobs(layers, isImageManifest(node.document) ? omitted : 0);
    blobs.set(config.digest, config);
    for (const layer of layers) {
      const mayLack = isNonDistributable(layer.mediaType) && !(await place.has(layer, { signal }));
      if (!mayLack && !leftOut.has(layer.digest)) blobs.set(layer.digest, layer);
    }
  }
  const content =
    complete === undefined
      ? place
      : await wholeContent(placed, { signal, onProgress, openBase: complete, others: [...from, ...others] });
  return { documents, blobs: [...blobs.values()], content };
}

async function addImage(
  { root, names, annotations }: StoredImage,
  content: LayoutTransaction,
  options: ContentOptions,
): Promise<FetchedImage> {
  const { config } = await readImage(content, root, options);
  content.add(root, names, annotations);
  const id = config.descriptor.digest;
  return {
    name: names[0] ?? null,
    ref: uniqueReference({ root, names, annotations }, id, names[0]),
    id,
    digest: root.digest,
  };
}

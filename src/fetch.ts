import pLimit from 'p-limit';
import type { Authenticate, ContentOptions, ImagePolicy, StoredImage } from './content.ts';
import type { Checked } from './image.ts';
import { closure, isImageManifest, readImage } from './image.ts';
import type { Layout } from './layout/layout.ts';
import { omittedLayers } from './layout/omitted-layers.ts';
import type { LayoutTransaction } from './layout/transaction.ts';
import { uniqueReference } from './naming.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';
import { isNonDistributable } from './oci/media-types.ts';
import type { OnProgress } from './progress.ts';
import type { ImagePlace, PlacedImage } from './selection.ts';
import { selectImages } from './selection.ts';
import { once, tap } from './stream/tap.ts';

/** Options of {@link fetch}. */
export interface FetchOptions extends ContentOptions {
  /** Where the images are: the layouts in a job's artifact. */
  from: readonly ImagePlace[];
  /** Names or digests; default: all images. */
  images?: readonly string[] | undefined;
  /** Which of the images may be fetched; default: all. */
  policy?: ImagePolicy | undefined;
  /** Asks who made each image, all of them before any is used. Default: nobody asks. */
  authenticate?: Authenticate | undefined;
  /** The layout that they come into. */
  to: Layout;
  /** How many blobs are fetched at a time. Default 4. */
  concurrency?: number | undefined;
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
  const onNote = (message: string): void => onProgress?.({ kind: 'note', message });
  const { policy, authenticate } = options;
  const chosen = await selectImages(from, options.images, { policy, authenticate, onNote, signal });
  const counted = new Map<Digest, { size: number; fetched: boolean }>();
  const images = await to.update(async (content) => {
    const fetched: FetchedImage[] = [];
    for (const placed of chosen) {
      onProgress?.({ kind: 'image', name: placed.image.names[0] ?? placed.image.root.digest });
      const referrers = await placed.place.referrers(placed.image.root, { signal });
      for (const root of [placed.image.root, ...referrers])
        await fetchRoot(placed, root, content, counted, options);
      for (const referrer of referrers) content.add(referrer, [], {});
      fetched.push(await addImage(placed.image, content, options));
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
  { place, image }: PlacedImage,
  root: Descriptor,
  content: LayoutTransaction,
  counted: Map<Digest, { size: number; fetched: boolean }>,
  { concurrency = 4, signal, onProgress }: FetchOptions,
): Promise<void> {
  const { documents, blobs } = await partsOf(place, root, image.annotations, { signal });
  const missing = blobs.filter(({ digest }) => !counted.has(digest));
  const limit = pLimit(concurrency);
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const fetchBlob = async (descriptor: Descriptor): Promise<void> => {
    let fetched = false;
    // The layout says whether what it has is intact; only if not is the blob asked for.
    const bytes = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      fetched = true;
      const stream = await place.open(descriptor, { signal: either });
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
  place: ImagePlace,
  root: Descriptor,
  annotations: Record<string, string>,
  options: ContentOptions,
): Promise<Parts> {
  const documents: Checked<unknown>[] = [];
  const blobs = new Map<Digest, Descriptor>();
  const omitted = omittedLayers(annotations, root.digest);
  for await (const node of closure(place, root, options)) {
    if (node.kind === 'index' || node.kind === 'manifest') documents.push(node.document);
    if (node.kind !== 'manifest') continue;
    const { config, layers } = node.document.value;
    blobs.set(config.digest, config);
    for (const [i, layer] of layers.entries()) {
      const mayLack = isNonDistributable(layer.mediaType) || (isImageManifest(node.document) && i < omitted);
      if (!mayLack || (await place.has(layer, options))) blobs.set(layer.digest, layer);
    }
  }
  return { documents, blobs: [...blobs.values()] };
}

async function addImage(
  { root, names, annotations }: StoredImage,
  content: LayoutTransaction,
  options: FetchOptions,
): Promise<FetchedImage> {
  const { config } = await readImage(content, root, options);
  options.policy?.check({ root, names, annotations }, config.value);
  content.add(root, names, annotations);
  const id = config.descriptor.digest;
  return {
    name: names[0] ?? null,
    ref: uniqueReference({ root, names, annotations }, id, names[0]),
    id,
    digest: root.digest,
  };
}

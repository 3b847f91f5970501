import type { SaveSource, SourceOptions } from './sources/source.ts';
import type { ArrivedImage } from '../../content/arrived-image.ts';
import type { IngestedLayer, SavedLayer } from '../../content/layer.ts';
import { takeImages } from './sources/take.ts';
import type { ImageStore, StoreTransaction } from '../../content/store.ts';
import { Holdings } from '../../image/holdings.ts';
import { readImage, withPlatform } from '../../image/image.ts';
import { Ledger } from '../../image/ledger.ts';
import { noteProven } from '../../image/prove.ts';
import type { ChosenCodec, CodecName } from '../../ingest/codec.ts';
import { chooseCodec } from '../../ingest/codec.ts';
import { createIngest } from '../../ingest/ingest.ts';
import type { ImageIdentity } from '../../listing/unique-reference.ts';
import { identify } from '../../listing/unique-reference.ts';
import { withOrigin } from '../../ci/origin.ts';
import { CREATED } from '../../oci/annotations.ts';
import { configPlatform } from '../../oci/config.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import type { LayerStatus } from '../../progress.ts';
import { checkSize } from '../../image/size-check.ts';
import type { Selection } from '../../select/selection.ts';
import { ContentOverBases } from './thin/content-over-bases.ts';
import type { OmitOptions } from './thin/omitter.ts';
import { Omitter } from './thin/omitter.ts';

/** Options of {@link save}. */
export interface SaveOptions extends Selection, OmitOptions {
  from: SaveSource;
  /** Names or digests. From a daemon at least one; from an archive or a layout, default: all. */
  images?: readonly string[] | undefined;
  /**
   * Names under which a daemon's images were built, by the text in `images` that requests them. The images get these
   * names, whatever the daemon calls them now. Default: the requested name.
   */
  names?: ReadonlyMap<string, readonly string[]> | undefined;
  /**
   * Requests all images from a daemon at once: it sends shared layers once. Docker's own store then loses count of
   * these layers and never frees them, so use this for a daemon that is thrown away. Default false.
   */
  oneRequest?: boolean | undefined;
  /** The layout to save into. */
  to: ImageStore;
  /** The compression of uncompressed layers. Default `auto`: zstd if the runtime has it built in, else gzip. */
  compress?: CodecName | undefined;
  /** Compression level; default 1. */
  level?: number | undefined;
  /** How many threads hash and compress. Default: the number of cores, or the container's CPU quota. */
  concurrency?: number | undefined;
  /** Bytes of layers in memory at once while they are hashed and compressed. Default 32 MiB. */
  memory?: number | undefined;
  /** Annotations for every image, such as the origin of the saving job. */
  annotations?: Readonly<Record<string, string>> | undefined;
}

/** A saved image. */
export interface SavedImage extends ImageIdentity {
  /** Another tool's word for it, if it was requested by that word. */
  foundAs?: string | undefined;
  /** `os/architecture[/variant]` */
  platform: string;
  layers: SavedLayer[];
}

/** Result of {@link save}. */
export interface SaveResult {
  /** The layout's folder. */
  layout: string;
  images: SavedImage[];
  /** Bytes read from the source; stored bytes of layers, each counted once. */
  bytes: { read: number; written: number; reused: number; omitted: number; total: number };
  seconds: number;
}

/**
 * Saves images into a layout: all of them, or, after any failure, none.
 * @throws {@link DrayageError} `NOT_FOUND`, `UNREACHABLE`, `TRUNCATED`, `MALFORMED`, `INCOMPLETE`, `DIGEST_MISMATCH`,
 * `LIMIT`, `IO`
 */
export async function save(options: SaveOptions): Promise<SaveResult> {
  const started = performance.now();
  const { onProgress, signal } = options;
  const codec = chooseCodec(options.compress, options.level);
  const stored = (await options.to.images(options)).map(({ root }) => root);
  let read = 0;
  const images = await options.to.update(async (content) => {
    const ledger = new Ledger();
    const omitter = await Omitter.prepare(options, ledger);
    const { bases } = omitter;
    const holdings = new Holdings(options.to, stored, ledger, { signal });
    const known = new ContentOverBases(content, holdings, bases, ledger);
    const arrived = await take(content, {
      ...options,
      known,
      codec,
      hasBases: bases.length > 0,
      isEmpty: stored.length === 0 && bases.length === 0,
      onRead: (bytes) => {
        read += bytes;
        onProgress?.({ kind: 'bytes', direction: 'read', bytes });
      },
    });
    const before = await options.to.images({ signal });
    const arrivals = await omitter.settle(arrived, before, { content, holdings });
    const saved: SavedImage[] = [];
    // One after the other, so that the index lists them in the order of their arrival.
    for (const arrival of arrivals) saved.push(await store(arrival, content, options));
    await checkSize(
      content,
      [...before, ...arrivals].map(({ root, annotations }) => ({ ...root, annotations })),
      options,
    );
    return saved;
  }, options);
  const bytes = { read, ...countBytes(images) };
  return { layout: options.to.location, images, bytes, seconds: (performance.now() - started) / 1000 };
}

/** What {@link take} needs besides the options. */
interface TakeOptions extends SaveOptions, Pick<SourceOptions, 'onRead'> {
  known: ContentOverBases;
  codec: ChosenCodec;
  hasBases: boolean;
  /** Whether nothing is known to be held. */
  isEmpty: boolean;
}

/** Takes the images' content into the store; layers on several threads. */
async function take(
  content: StoreTransaction,
  { known, codec, hasBases, isEmpty, ...options }: TakeOptions,
): Promise<ArrivedImage[]> {
  const { signal, concurrency, memory, onProgress } = options;
  await using ingest = createIngest(content, {
    codec,
    signal,
    concurrency,
    memory,
    findLayer: (diffId) => known.findLayer(diffId),
    onLayer: (layer) => {
      noteIngested(layer);
      const { digest, size } = layer;
      const status = known.offered.has(digest) ? 'omitted' : layer.status;
      onProgress?.({ kind: 'layer', digest, size, status });
    },
  });
  return await takeImages({
    ...options,
    content: known,
    holdings: isEmpty ? undefined : known,
    ingest: ingest.layer,
    // A base's blobs keep their bytes, so manifests are written over them.
    keepManifests: codec.compression === 'none' && !hasBases,
  });
}

/**
 * A layer that ingest has decompressed and hashed is proven. If another blob was found for the layer, only the layer
 * was hashed.
 */
function noteIngested({ received, uncompressedSize, diffId, status, ...blob }: IngestedLayer): void {
  const isOwn = status === 'written' || received.digest === blob.digest;
  if (isOwn && uncompressedSize !== null) noteProven({ diffId, blob }, uncompressedSize);
}

/** Adds an arrived image to the layout's index, and describes it. */
async function store(
  { root, names, foundAs, layers, referrers, ...arrival }: ArrivedImage,
  content: StoreTransaction,
  options: SaveOptions,
): Promise<SavedImage> {
  const { config } = await readImage(content, root, options);
  const { created } = config.value;
  const own = { ...(created && { [CREATED]: created }), ...options.annotations };
  const annotations = withOrigin(arrival.annotations, own);
  content.add(withPlatform(root, config.value), names, annotations);
  for (const referrer of referrers) content.add(referrer, [], {});
  return {
    ...identify({ root, names, annotations }, config.descriptor.digest),
    ...(foundAs !== undefined && { foundAs }),
    platform: formatPlatform(configPlatform(config.value)),
    layers,
  };
}

function countBytes(images: readonly SavedImage[]): Omit<SaveResult['bytes'], 'read'> {
  const layers = new Map<Digest, SavedLayer>();
  for (const layer of images.flatMap((image) => image.layers)) {
    // If a layer occurs again, it has been stored by then: the first time counts.
    if ((layers.get(layer.digest)?.status ?? 'omitted') === 'omitted') layers.set(layer.digest, layer);
  }
  const sum = (status?: LayerStatus): number =>
    [...layers.values()].reduce(
      (total, layer) => total + (!status || layer.status === status ? layer.size : 0),
      0,
    );
  return { written: sum('written'), reused: sum('reused'), omitted: sum('omitted'), total: sum() };
}

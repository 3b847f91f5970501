import { chooseCodec } from '../../ingest/codec.ts';
import type { ChosenCodec } from '../../ingest/codec.ts';
import { createIngest } from '../../ingest/ingest.ts';
import type { ArrivedImage } from '../../content/arrived-image.ts';
import type { SavedLayer } from '../../content/layer.ts';
import type { StoreTransaction } from '../../content/store.ts';
import { Holdings } from '../../image/holdings.ts';
import { Ledger } from '../../image/ledger.ts';
import { noteIngested } from '../../image/proven.ts';
import type { Digest } from '../../oci/digest.ts';
import type { LayerStatus } from '../../progress.ts';
import { paced } from '../../progress.ts';
import { AdoptedContent, NeededByOthers } from './adopted-content.ts';
import type { SavedImage, SaveOptions, SaveResult } from './options.ts';
import { ArrivingLayers } from './sources/arriving-layers.ts';
import type { SourceOptions } from './sources/source.ts';
import { takeImages } from './sources/take.ts';
import { storeImages } from './store-images.ts';
import { ContentOverBases } from './thin/content-over-bases.ts';
import { Omitter } from './thin/omitter.ts';

/**
 * Saves images into a layout: all of them, or, after any failure, none. If they come from the same layout, because a builder
 * wrote it, they are adopted: nothing is copied, only what their entries state changes. Which images they are must be said
 * then. Omitted blobs are removed after that.
 * @throws {@link DrayageError} `NOT_FOUND`, `UNREACHABLE`, `TRUNCATED`, `MALFORMED`, `INCOMPLETE`, `DIGEST_MISMATCH`,
 * `LIMIT`, `IO`; `USAGE` if no image is named of a daemon, or of the same layout
 * @example
 * ```ts
 * import { Layout, save } from 'drayage';
 *
 * const to = await Layout.create(folder);
 * const { images, bytes } = await save({ from: daemon, images: ['app:1'], to });
 * console.log(`${images.length} images, ${bytes.total} bytes`);
 * ```
 */
export async function save(options: SaveOptions): Promise<SaveResult> {
  return paced(options, saveAll);
}

async function saveAll(options: SaveOptions): Promise<SaveResult> {
  const started = performance.now();
  const ledger = new Ledger();
  const { images, read } = isAdoption(options)
    ? await saveAdopted(options, ledger)
    : await saveArrived(options, ledger);
  const bytes = { read, ...countBytes(images) };
  return { layout: options.to.location, images, bytes, seconds: (performance.now() - started) / 1000 };
}

/** Images that were saved, and the bytes that were read from their source. */
interface Saved {
  images: SavedImage[];
  read: number;
}

/** Saves images from elsewhere. */
async function saveArrived(options: SaveOptions, ledger: Ledger): Promise<Saved> {
  const { onProgress, signal } = options;
  const codec = chooseCodec(options.compress, options.level);
  const stored = (await options.to.images(options)).map(({ root }) => root);
  let read = 0;
  const images = await options.to.update(async (content) => {
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
      onRead: (bytes, blob) => {
        read += bytes;
        onProgress?.({ kind: 'bytes', direction: 'read', bytes, digest: blob?.digest });
      },
    });
    const before = await options.to.images({ signal });
    const arrivals = await omitter.settle(arrived, before, { content, holdings });
    return storeImages(arrivals, before, content, options);
  }, options);
  return { images, read };
}

/** Saves images that are in the layout already. */
async function saveAdopted(options: SaveOptions, ledger: Ledger): Promise<Saved> {
  const { to, signal } = options;
  const { images, dropped } = await to.update(async (transaction) => {
    const content = new AdoptedContent(transaction);
    const omitter = await Omitter.prepare(options, ledger);
    const { adoptImages } = await import('./sources/adopt.ts');
    const { adopted, others } = await adoptImages(to, content, options);
    const holdings = new NeededByOthers(to, others, { signal });
    const arrivals = await omitter.settle(adopted, others, { content, holdings });
    return { images: await storeImages(arrivals, others, content, options), dropped: content.dropped };
  }, options);
  // Only now, because until here the layout must stay readable as its builder left it.
  if (dropped.size > 0) await to.discard?.(dropped, { signal });
  return { images, read: 0 };
}

/** Whether the images are in the layout already. */
function isAdoption({ from, to }: SaveOptions): boolean {
  if ('archive' in from || 'load' in from) return false;
  return from === to || ('location' in from && from.location === to.location);
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
  const arriving = new ArrivingLayers(onProgress, ({ digest, status }) =>
    known.offered.has(digest) ? 'omitted' : status,
  );
  await using ingest = createIngest(content, {
    codec,
    signal,
    concurrency,
    memory,
    findLayer: (diffId) => known.findLayer(diffId),
    onLayer: (layer, isHashed) => {
      if (isHashed) noteIngested(layer);
      arriving.tell(layer);
    },
  });
  return await takeImages({
    ...options,
    content: known,
    holdings: isEmpty ? undefined : known,
    ingest: ingest.layer,
    arriving,
    // A base's blobs keep their bytes, so manifests are written over them.
    keepManifests: codec.compression === 'none' && !hasBases,
  });
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

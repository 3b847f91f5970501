import type { ImagePlace } from '../content/image-index.ts';
import type { ContentSource } from '../content/source.ts';
import { chainSources } from '../content/source.ts';
import type { ImageStore } from '../content/store.ts';
import type { ImageIdentity } from '../listing/unique-reference.ts';
import type { PlannedCopy } from './copy-selected.ts';
import { copySelected } from './copy-selected.ts';
import { contentsOf } from '../image/contents.ts';
import { keptAnnotations } from '../image/omitted-layers.ts';
import { paced } from '../progress.ts';
import { selectAny } from '../select/select.ts';
import type { Selected, Selection } from '../select/selection.ts';
import { isReferred } from '../select/selection.ts';
import type { OpenBase } from '../image/open-base.ts';
import { omittedContent } from '../image/omitted-content.ts';

/** Options of {@link fetchImages}. */
export interface FetchOptions extends Selection {
  /** The layouts in a job's artifact. */
  from: readonly ImagePlace[];
  /** The layout to write to. */
  to: ImageStore;
  /** How many blobs are fetched at a time. Default 4. */
  concurrency?: number | undefined;
  /**
   * Also fetches omitted layers, from the other places or from the base that this opens. Then the images are complete.
   * Default: omitted layers stay omitted.
   */
  complete?: OpenBase | undefined;
  /** Further places that may have omitted layers; they are asked first. */
  others?: readonly ContentSource[] | undefined;
}

/** Result of {@link fetchImages}. */
export interface FetchResult {
  /** The layout's folder. */
  layout: string;
  images: ImageIdentity[];
  /** Stored bytes of all blobs, each counted once: those that were fetched, and those that were present. */
  bytes: { fetched: number; reused: number; total: number };
  seconds: number;
}

/**
 * Brings images into a store, with what refers to them or to a part of them: only the blobs that it lacks, several at a time,
 * each checked. All of them, or, after any failure, nothing. Bytes, names and annotations stay as they are; only the number
 * of omitted layers goes, if none is omitted. A reference to an image in a daemon stays a reference.
 * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `INCOMPLETE`, `UNREACHABLE`,
 * `TIMEOUT`, `IO`
 * @example
 * ```ts
 * import { fetchImages } from 'drayage';
 *
 * const { bytes } = await fetchImages({ from: [layout], to: empty, images: ['app:1'] });
 * console.log(`${bytes.fetched} of ${bytes.total} bytes were fetched`);
 * ```
 */
export async function fetchImages(options: FetchOptions): Promise<FetchResult> {
  return (await prepareFetch(options))();
}

/**
 * Selects the images of a fetch, and writes nothing yet. So several fetches can be refused before the first one writes.
 * @returns fetches them
 * @throws {@link DrayageError} as {@link fetchImages}
 * @example
 * ```ts
 * import { prepareFetch } from 'drayage';
 *
 * const fetches = [];
 * for (const place of [layout, other]) fetches.push(await prepareFetch({ from: [place], to: empty }));
 * for (const fetch of fetches) await fetch();
 * ```
 */
export async function prepareFetch(options: FetchOptions): Promise<() => Promise<FetchResult>> {
  const started = performance.now();
  const chosen = await selectAny(options.from, options);
  return async () => paced(options, async (thinned) => fetchSelected(chosen, started, thinned));
}

async function fetchSelected(
  chosen: readonly Selected[],
  started: number,
  options: FetchOptions,
): Promise<FetchResult> {
  const { to, complete, signal } = options;
  const everywhere = chainSources([...options.from, ...(options.others ?? [])]);
  const plan = async (placed: Selected): Promise<PlannedCopy> => {
    const { place: index, root } = placed;
    const { annotations: stated } = placed.image;
    const source = contentOf(placed, everywhere, options);
    const asStated = complete === undefined;
    const contents = await contentsOf(source, root, { annotations: stated, asStated, signal });
    return { contents, source, index, root, annotations: keptAnnotations(stated, contents) };
  };
  const { copied, bytes } = await copySelected(chosen, to, plan, options);
  const { written: fetched, reused } = bytes;
  return {
    layout: to.location,
    images: copied.map(({ identity }) => identity),
    bytes: { fetched, reused, total: fetched + reused },
    seconds: (performance.now() - started) / 1000,
  };
}

/** The source of an image's content: its place, or all places that may have its omitted layers. */
function contentOf(
  placed: Selected,
  everywhere: ContentSource,
  { complete, signal, onProgress }: FetchOptions,
): ContentSource {
  if (complete === undefined || isReferred(placed)) return placed.content;
  return omittedContent(placed, { signal, onProgress, openBase: complete, others: [everywhere] });
}

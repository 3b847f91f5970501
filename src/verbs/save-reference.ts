import type {
  DaemonIdentity,
  EndpointImage,
  ImageEndpoint,
  ImageTags,
  LastingEndpoint,
  ReferredImage,
} from '../content/endpoint.ts';
import type { ContentOptions } from '../content/source.ts';
import type { ImageStore, StoreTransaction } from '../content/store.ts';
import { withOrigin } from '../ci/origin.ts';
import { isDrayageError } from '../errors.ts';
import type { ImageReference } from '../image/reference.ts';
import { buildReference } from '../image/reference.ts';
import type { ImageIdentity, OnPlanned } from '../listing/unique-reference.ts';
import { identify } from '../listing/unique-reference.ts';
import { CREATED } from '../oci/annotations.ts';
import type { Digest } from '../oci/digest.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { OnProgress } from '../progress.ts';
import { once } from '../stream/tap.ts';
import { pipelineLeaseholder } from './load/lease.ts';
import { nameImage } from './load/name-image.ts';
import { putHeld } from './load/put-held.ts';
import type { Inspecting } from './save/sources/daemon.ts';
import { inspectAll } from './save/sources/daemon.ts';

/** Options of {@link saveReference}. */
export interface SaveReferenceOptions extends ContentOptions {
  /** The daemon that has the images, and keeps them. */
  from: ImageEndpoint & ImageTags & LastingEndpoint;
  /** Names or IDs; at least one. */
  images: readonly string[];
  /** Names under which images were built, by the text in `images` that requests them. Default: the requested name. */
  names?: ReadonlyMap<string, readonly string[]> | undefined;
  /** The layout to save into. */
  to: ImageStore;
  /** Annotations for every image, such as the origin of the saving job. */
  annotations?: Readonly<Record<string, string>> | undefined;
  /**
   * The pipeline that holds the images, by its ID: each image gets its unique tag, which no job's unload removes. Default:
   * nothing holds them.
   */
  lease?: { pipeline: string; now: Date } | undefined;
  /** Called before the daemon and the layout change. An error that it throws stops the save. */
  onPlanned?: OnPlanned | undefined;
  onProgress?: OnProgress | undefined;
}

/** An image that was saved as a reference. */
export interface ReferredSave extends ImageIdentity {
  /** `os/architecture[/variant]` */
  platform: string;
  /** The daemon's own ID of it. */
  daemonId: Digest;
  /** DiffIDs of its layers, bottom first. No layer was read. */
  diffIds: readonly Digest[];
}

/** Result of {@link saveReference}. */
export interface SaveReferenceResult {
  /** The layout's folder. */
  layout: string;
  /** The daemon that has the images. */
  daemon: DaemonIdentity;
  images: ReferredSave[];
  seconds: number;
}

/**
 * Saves references to images into a layout, for jobs that share a lasting daemon: all of them, or, after any failure, none.
 * The daemon may keep tags that it got before the failure; `unload` of the pipeline removes them.
 * The images stay in the daemon, and no layer is read. `load` finds them only there.
 * @throws {@link DrayageError} `NOT_FOUND`; `USAGE` if no image is named; `UNSAFE` if the daemon has no lasting ID or does not
 * identify its images; `DAEMON`, `UNREACHABLE`, `IO`
 * @example
 * ```ts
 * import { saveReference } from 'drayage';
 *
 * const lease = { pipeline: '4711', now: new Date() };
 * const { images } = await saveReference({ from: daemon, images: ['app:1'], to: empty, lease });
 * console.log(images.map(({ ref }) => ref));
 * ```
 */
export async function saveReference(options: SaveReferenceOptions): Promise<SaveReferenceResult> {
  const started = performance.now();
  const { from, to, signal } = options;
  const daemon = await from.identity({ signal });
  const planned = (await inspectAll(referring(from), options)).map(
    ({ image: { referred }, names }): PlannedReference => ({ names, reference: { ...referred, daemon } }),
  );
  const images = await to.update((content) => storeAll(planned, content, options), { signal });
  return { layout: to.location, daemon, images, seconds: (performance.now() - started) / 1000 };
}

/** Finds images with all that a reference says of them, in one question each. */
function referring(from: ImageEndpoint & LastingEndpoint): Inspecting<ReferredEndpointImage> {
  return {
    inspect: async (text, { signal }) => {
      const { names, ...referred } = await referTo(from, text, { signal });
      return { id: referred.image, names: [...names], diffIds: [...referred.diffIds], referred };
    },
  };
}

/** An image in a daemon, and what a reference to it says. */
interface ReferredEndpointImage extends EndpointImage {
  referred: Omit<ReferredImage, 'names'>;
}

async function referTo(
  from: ImageEndpoint & LastingEndpoint,
  text: string,
  options: ContentOptions,
): Promise<ReferredImage> {
  try {
    return await from.refer(text, options);
  } catch (error) {
    if (!isDrayageError(error, 'NOT_FOUND')) throw error;
    // A daemon that does not find an image by its config's digest may find it when it is asked in other ways.
    return from.refer((await from.inspect(text, options)).id, options);
  }
}

/** A reference that is about to be stored. */
interface PlannedReference {
  names: string[];
  reference: ImageReference;
}

async function storeAll(
  planned: readonly PlannedReference[],
  content: StoreTransaction,
  options: SaveReferenceOptions,
): Promise<ReferredSave[]> {
  const saved: ReferredSave[] = [];
  for (const one of planned) saved.push(await store(one, content, options));
  await options.onPlanned?.(saved.map((image, i) => ({ ...image, names: planned[i]?.names ?? [] })));
  // Last, so that a failure before leaves no tag in the daemon.
  for (const [i, { reference }] of planned.entries()) await hold(reference, saved[i]?.ref, options);
  return saved;
}

async function store(
  { names, reference }: PlannedReference,
  content: StoreTransaction,
  { annotations: given, signal, onProgress }: SaveReferenceOptions,
): Promise<ReferredSave> {
  const { root, documents } = buildReference(reference);
  const { id, image: daemonId, diffIds, platform, created } = reference;
  onProgress?.({ kind: 'image', name: names[0] ?? daemonId });
  for (const { descriptor, bytes } of documents) await content.put(descriptor, once(bytes), { signal });
  const annotations = withOrigin({ ...(created !== undefined && { [CREATED]: created }) }, given);
  content.add(root, names, annotations);
  const identity = identify({ root, names, annotations }, id);
  return { ...identity, platform: formatPlatform(platform), daemonId, diffIds };
}

/** Gives an image its unique tag, and the pipeline's lease on it. */
async function hold(
  reference: ImageReference,
  unique: string | undefined,
  { from, lease, signal }: SaveReferenceOptions,
): Promise<void> {
  if (lease === undefined || unique === undefined) return;
  const holder = pipelineLeaseholder(lease.pipeline, lease.now);
  await putHeld({ to: from, lease: holder, signal }, unique, [unique], async (names, list) =>
    nameImage(from, reference, names, await list(), { signal }),
  );
}

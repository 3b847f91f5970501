import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { EndpointImage, ImageEndpoint, InspectImageOptions } from '../../../content/endpoint.ts';
import { DrayageError } from '../../../errors.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { Platform } from '../../../oci/platform.ts';
import { formatPlatform, matchesPlatform } from '../../../oci/platform.ts';
import { looksLikeImageId, namesAmong, taggedName } from '../../../oci/reference.ts';
import { oneAhead } from '../../../stream/one-ahead.ts';
import type { SourceOptions } from './source.ts';
import type { WantedImage } from './daemon-plan.ts';
import { DaemonSave } from './daemon-plan.ts';
import { notForPlatform } from '../../../select/read.ts';
import { skipped } from './built.ts';
import { eitherSignal } from '../../../stream/signals.ts';

/** Reads images from a daemon, in the requested order; an image that is requested twice is read once. */
export async function fromDaemon(daemon: ImageEndpoint, options: SourceOptions): Promise<ArrivedImage[]> {
  const wanted = await inspectAll(daemon, options);
  begin(wanted, options);
  const stop = new AbortController();
  const signal = eitherSignal(options.signal, stop.signal);
  const save = new DaemonSave(daemon, { ...options, signal });
  try {
    return options.oneRequest === true
      ? await save.takeTogether(wanted)
      : await oneByOne(save, wanted, daemon.spools);
  } finally {
    // Ends what is still running: the request that is one ahead, and proofs that nobody waits for.
    stop.abort(new Error('the save has ended'));
  }
}

/** Reports the start. The layers of an image for a platform, or of one that the daemon considers broken, are not known. */
function begin(wanted: readonly WantedImage[], { platform, arriving, onProgress }: SourceOptions): void {
  if (arriving === undefined)
    return onProgress?.({ kind: 'start', images: wanted.length, layers: null, size: null });
  const isKnown = ({ image }: WantedImage): boolean => platform === undefined && image.diffIds.length > 0;
  arriving.begin(wanted.map((one) => (isKnown(one) ? one.image.diffIds : undefined)));
}

/**
 * One request for each image: one for several makes docker's own store lose count of their shared layers, and never
 * free them. If the daemon packs a whole archive before it sends any of it, the next one is packed meanwhile.
 */
async function oneByOne(
  save: DaemonSave,
  wanted: readonly WantedImage[],
  spools = false,
): Promise<ArrivedImage[]> {
  const images: ArrivedImage[] = [];
  if (spools) {
    for await (const plan of oneAhead(wanted, (image) => save.plan(image)))
      images.push(await save.take(plan));
  } else {
    for (const image of wanted) images.push(await save.take(await save.plan(image)));
  }
  return images;
}

/** Finds an image in a daemon, and what the caller wants to know of it. */
export interface Inspecting<Found extends EndpointImage> {
  inspect(image: string, options: InspectImageOptions): Promise<Found>;
}

/**
 * Finds the requested images, each once, with the names by which they were requested.
 * @throws {@link DrayageError} `USAGE` if none is requested; `NOT_FOUND`
 */
export async function inspectAll<Found extends EndpointImage>(
  daemon: Inspecting<Found>,
  options: Pick<SourceOptions, 'images' | 'names' | 'platform' | 'signal' | 'onProgress'>,
): Promise<WantedImage<Found>[]> {
  if ((options.images ?? []).length === 0)
    throw new DrayageError('USAGE', 'no image given', { reason: 'NO_IMAGE_GIVEN' });
  const { images = [], platform, signal } = options;
  const wanted = new Map<Digest, WantedImage<Found>>();
  for (const text of images) {
    const image = await daemon.inspect(text, { signal, platforms: platform !== undefined });
    const { names, digest } = wanted.get(image.id) ?? { names: [], digest: digestFor(text, image, platform) };
    const given = namesAmong(options.names?.get(text) ?? [], (name) => options.onProgress?.(skipped(name)));
    const all = new Set([...names, ...nameAsked(text, image), ...given]);
    wanted.set(image.id, { image, names: [...all], digest });
  }
  return [...wanted.values()];
}

/** The digest of an image for this platform; its ID if the daemon does not say. */
function digestFor(text: string, { id, platforms }: EndpointImage, wanted: Platform | undefined): Digest {
  if (wanted === undefined || platforms === undefined) return id;
  const found = platforms.find(({ platform }) => matchesPlatform(wanted, platform));
  if (found !== undefined) return found.digest;
  const candidates = platforms.map(({ platform }) => formatPlatform(platform));
  throw notForPlatform(text, wanted, candidates);
}

/** The name by which an image was requested; none if it was requested by its ID. */
function nameAsked(text: string, { names }: EndpointImage): string[] {
  const name = taggedName(text);
  if (name === undefined || (looksLikeImageId(text) && !names.includes(name))) return [];
  // podman calls local images localhost/temp, and also accepts temp.
  const short = name.replace(/^localhost\//, '');
  return [!names.includes(name) && names.includes(short) ? short : name];
}

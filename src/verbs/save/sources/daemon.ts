import { oneAhead } from '../../../stream/one-ahead.ts';
import type { EndpointImage, ImageEndpoint } from '../../../content/endpoint.ts';
import { DrayageError } from '../../../errors.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { Platform } from '../../../oci/platform.ts';
import { formatPlatform, matchesPlatform } from '../../../oci/platform.ts';
import { normalizeName } from '../../../oci/reference.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { ArriveOptions } from '../arrival.ts';
import { EndpointSave } from './endpoint-save.ts';
import { isIdOf, nameOf } from './image-id.ts';
import { notForPlatform } from './platform.ts';
import type { WantedImage } from './wanted-image.ts';

/** Takes images in from a daemon, in the order in which they are asked for; one that is asked for twice comes once. */
export async function fromEndpoint(endpoint: ImageEndpoint, options: ArriveOptions): Promise<ArrivedImage[]> {
  if ((options.images ?? []).length === 0)
    throw new DrayageError('USAGE', 'which image is to be saved?', { hint: 'name at least one' });
  const wanted = await inspectAll(endpoint, options);
  if (options.oneRequest === true) return new EndpointSave(endpoint, options).together(wanted);
  return oneByOne(endpoint, wanted, options);
}

/**
 * One request for each image: one for several makes docker's own store lose count of the layers that they share, and never
 * free them. Where the daemon packs a whole archive before it sends any of it, the next one is packed meanwhile.
 */
async function oneByOne(
  endpoint: ImageEndpoint,
  wanted: readonly WantedImage[],
  options: ArriveOptions,
): Promise<ArrivedImage[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const save = new EndpointSave(endpoint, { ...options, signal });
  const arrivals: ArrivedImage[] = [];
  try {
    if (endpoint.spools) {
      for await (const read of oneAhead(wanted, (image) => save.open(image))) arrivals.push(await read());
    } else {
      for (const image of wanted) arrivals.push(await (await save.open(image))());
    }
    return arrivals;
  } catch (error) {
    // The request that is one ahead ends as well.
    stop.abort(error);
    throw error;
  }
}

async function inspectAll(endpoint: ImageEndpoint, options: ArriveOptions): Promise<WantedImage[]> {
  const { images = [], platform, signal } = options;
  const wanted = new Map<Digest, WantedImage>();
  for (const text of images) {
    const image = await endpoint.inspect(text, { signal, platforms: platform !== undefined });
    const entry = wanted.get(image.id) ?? { image, names: [], digest: digestFor(text, image, platform) };
    const asked = nameAsked(text, image);
    const given = (options.names?.get(text) ?? []).map(normalizeName);
    const names = [...entry.names, ...(asked === undefined ? [] : [asked]), ...given];
    entry.names = [...new Set(names)];
    wanted.set(image.id, entry);
  }
  return [...wanted.values()];
}

/** What an image for this platform goes by; its ID where the daemon does not tell. */
function digestFor(text: string, { id, platforms }: EndpointImage, wanted: Platform | undefined): Digest {
  if (wanted === undefined || platforms === undefined) return id;
  const found = platforms.find(({ platform }) => matchesPlatform(wanted, platform));
  if (found !== undefined) return found.digest;
  const candidates = platforms.map(({ platform }) => formatPlatform(platform));
  throw notForPlatform(wanted, [{ names: [text], error: { facts: { candidates } } }]);
}

/** The name by which an image was asked for; none where it was asked for by its ID. */
function nameAsked(text: string, { id, names }: EndpointImage): string | undefined {
  const name = nameOf(text);
  if (name === undefined || (isIdOf(text, id) && !names.includes(name))) return undefined;
  // podman calls local images localhost/temp, and answers to temp as well.
  const short = name.replace(/^localhost\//, '');
  return !names.includes(name) && names.includes(short) ? short : name;
}

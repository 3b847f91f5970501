import type { IngestedLayer } from '../../../content/layer.ts';
import type { ImageEndpoint } from '../../../content/endpoint.ts';
import { DrayageError, isDrayageError, isUnusable } from '../../../errors.ts';
import { ORIGINAL_INDEX } from '../../../image/annotations.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { ArriveOptions } from '../arrival.ts';
import { savedLayer } from '../../../content/layer.ts';
import { HeldBlobs } from './held-blobs.ts';
import { forPlatform } from './platform.ts';
import type { ArchiveArrivals } from './read-arrivals.ts';
import { readArrivals } from './read-arrivals.ts';
import type { WantedImage } from './wanted-image.ts';
import { findAsked } from './wanted-image.ts';

/** Takes an opened archive in. */
export type ReadArrival = () => Promise<ArrivedImage>;

/** Blobs that an archive may lack. */
type StoredBlobs = Map<Digest, IngestedLayer | Descriptor>;

/**
 * Saves images out of a daemon, as little of each as will do: nothing where it is held whole, only what is not held where the
 * daemon can give that, all of it otherwise.
 */
export class EndpointSave {
  readonly #endpoint: ImageEndpoint;
  readonly #options: ArriveOptions;
  readonly #held: HeldBlobs;

  constructor(endpoint: ImageEndpoint, options: ArriveOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#held = new HeldBlobs(options.holdings);
  }

  /** Finds out what there is to do for an image, and asks the daemon for it. Its ID is asked for: a tag may move meanwhile. */
  async open(wanted: WantedImage): Promise<ReadArrival> {
    const held = await this.#findHeld(wanted);
    if (held !== undefined) return async () => this.#take(wanted, async () => held);
    const stored: StoredBlobs = new Map();
    try {
      const read = await this.#request(wanted, stored);
      return async () => this.#take(wanted, async () => this.#orWhole(wanted, stored, read));
    } catch (error) {
      const read = await this.#whole(wanted, stored, error);
      return async () => this.#take(wanted, read);
    }
  }

  /** All images in one request, those that are held whole apart. */
  async together(wanted: readonly WantedImage[]): Promise<ArrivedImage[]> {
    const { platform, signal } = this.#options;
    const held = new Map<WantedImage, ArrivedImage>();
    for (const image of wanted) {
      const found = await this.#findHeld(image);
      if (found !== undefined) held.set(image, found);
    }
    const asked = wanted.filter((image) => !held.has(image));
    const ids = asked.map(({ image }) => image.id);
    const read = async (): Promise<ArchiveArrivals> =>
      this.#read(asked, await this.#endpoint.save(ids, { platform, signal }));
    const sent = ids.length === 0 ? { arrivals: [], layers: new Map<never, never>() } : await read();
    const arrivals: ArrivedImage[] = [];
    for (const image of wanted)
      arrivals.push(await this.#take(image, async () => held.get(image) ?? this.#asked(image, sent)));
    return arrivals;
  }

  async #findHeld({ digest, image: { id } }: WantedImage): Promise<ArrivedImage | undefined> {
    const { holdings, signal, onProgress } = this.#options;
    const found = await holdings?.findImage(digest, { signal });
    if (found === undefined) return undefined;
    const { root } = found;
    const layers = found.layers.map(({ diffId, blob }) =>
      savedLayer(blob, { diffId, uncompressedSize: null, status: 'reused' }),
    );
    for (const { digest: blob, size, status } of layers)
      onProgress?.({ kind: 'layer', digest: blob, size, status });
    const annotations = partOf(id, digest);
    return { root, id: found.id, names: [], annotations, layers, isWritten: false, referrers: [] };
  }

  /** @param stored gets the blobs that the archive may lack */
  async #request(wanted: WantedImage, stored: StoredBlobs, whole = false): Promise<ReadArrival> {
    const { platform, signal } = this.#options;
    const held = async (blobs: readonly Descriptor[]): Promise<ReadonlySet<Digest>> => {
      for (const [digest, blob] of await this.#held.find(blobs, { signal })) stored.set(digest, blob);
      return new Set(stored.keys());
    };
    const mayLack = !whole && !this.#held.isEmpty;
    const archive = await this.#endpoint.save(wanted.image.id, {
      platform,
      signal,
      ...(mayLack && { held }),
    });
    // It is read later: that it fails before is told then.
    archive.on('error', () => undefined);
    return async () => this.#asked(wanted, await this.#read([wanted], archive, stored));
  }

  async #orWhole(wanted: WantedImage, stored: StoredBlobs, read: ReadArrival): Promise<ArrivedImage> {
    try {
      return await read();
    } catch (error) {
      return (await this.#whole(wanted, stored, error))();
    }
  }

  /** After a failure that may be due to what was left out; any other one is thrown on. */
  async #whole(wanted: WantedImage, stored: StoredBlobs, error: unknown): Promise<ReadArrival> {
    const mayHelp = isUnusable(error) || isDrayageError(error, 'DAEMON', 'TIMEOUT');
    if (stored.size === 0 || !mayHelp) throw error;
    const message = `the whole image is saved, since what is new of it could not be had alone: ${error.message}`;
    this.#options.onProgress?.({ kind: 'note', message });
    return this.#request(wanted, new Map(), true);
  }

  async #read(
    wanted: readonly WantedImage[],
    archive: AsyncIterable<Uint8Array>,
    stored?: StoredBlobs,
  ): Promise<ArchiveArrivals> {
    try {
      const expected = wanted.map(({ image }) => image.diffIds);
      return await readArrivals(archive, this.#options, { stored, expected });
    } catch (error) {
      throw isDrayageError(error, 'INCOMPLETE') ? lacking(wanted, error) : error;
    }
  }

  async #asked(wanted: WantedImage, { arrivals, layers }: ArchiveArrivals): Promise<ArrivedImage> {
    const { image, digest, names } = wanted;
    const arrival = { ...findAsked(wanted, arrivals), names };
    const annotations = { ...partOf(image.id, digest), ...arrival.annotations };
    const [found = arrival] = await forPlatform(
      { arrivals: [{ ...arrival, annotations }], layers },
      this.#options,
    );
    return found;
  }

  async #take({ image, names }: WantedImage, read: ReadArrival): Promise<ArrivedImage> {
    this.#options.onProgress?.({ kind: 'image', name: names[0] ?? image.id });
    const arrival = await read();
    this.#held.add(arrival.layers);
    return { ...arrival, names };
  }
}

/** A containerd store saves images of which it lacks content, without a word. */
function lacking(wanted: readonly WantedImage[], cause: DrayageError): DrayageError {
  const names = wanted.map((one) => one.names[0] ?? one.image.id).join(', ');
  return new DrayageError(
    'INCOMPLETE',
    `the daemon sent ${names} without all of its content: ${cause.message}`,
    {
      ...cause.facts,
      cause,
      hint: 'it may lack the content itself: pull or build the image again, then save it',
    },
  );
}

/** What is said of one image that was taken out of an index. */
function partOf(id: Digest, digest: Digest): Record<string, string> {
  return id === digest ? {} : { [ORIGINAL_INDEX]: id };
}

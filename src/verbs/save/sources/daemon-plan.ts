import type { Readable } from 'node:stream';
import type { ArchiveImages, StoredBlobs } from '../../../archive/read/read.ts';
import { readArchive } from '../../../archive/read/read.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { EndpointImage, ImageEndpoint, SaveArchiveOptions } from '../../../content/endpoint.ts';
import type { IngestedLayer } from '../../../content/layer.ts';
import { savedLayer } from '../../../content/layer.ts';
import { DrayageError, isDrayageError, isUnusable } from '../../../errors.ts';
import { ORIGINAL_INDEX } from '../../../image/annotations.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { SourceOptions } from './source.ts';
import { HeldBlobs } from './held-blobs.ts';
import { forPlatform } from './platform.ts';

/** An image that a daemon is asked for. */
export interface WantedImage {
  image: EndpointImage;
  /** Those by which it was asked for. */
  names: string[];
  /** The image's ID, or, for one platform of several, the digest of that manifest. */
  digest: Digest;
}

/** How a wanted image is got. What has to come has been asked for; that this failed is told when the archive is read. */
type Plan = { wanted: WantedImage } & (
  | { kind: 'held'; image: ArrivedImage }
  | { kind: 'delta'; archive: Promise<Readable>; lacks: StoredBlobs }
  | { kind: 'whole'; archive: Promise<Readable> }
);

/**
 * Saves images out of a daemon, as little of each as will do: nothing where it is held whole, only what is not held where the
 * daemon can give that, all of it otherwise.
 */
export class DaemonSave {
  readonly #daemon: ImageEndpoint;
  readonly #options: SourceOptions;
  readonly #held: HeldBlobs;

  constructor(daemon: ImageEndpoint, options: SourceOptions) {
    this.#daemon = daemon;
    this.#options = options;
    this.#held = new HeldBlobs(options.holdings);
  }

  /** Finds out how to get an image, and asks the daemon for what has to come. */
  async plan(wanted: WantedImage): Promise<Plan> {
    const image = await this.#findHeld(wanted);
    if (image !== undefined) return { wanted, kind: 'held', image };
    const lacks = new Map<Digest, IngestedLayer | Descriptor>();
    const held = async (blobs: readonly Descriptor[]): Promise<ReadonlySet<Digest>> => {
      for (const [digest, blob] of await this.#held.find(blobs)) lacks.set(digest, blob);
      return new Set(lacks.keys());
    };
    const archive = this.#request(wanted.image.id, this.#held.isEmpty ? undefined : held);
    await archive.then((stream) => stream.on('error', ignore), ignore);
    return lacks.size > 0 ? { wanted, kind: 'delta', archive, lacks } : { wanted, kind: 'whole', archive };
  }

  /** Gets the image of a plan. Where what is not held cannot be had alone, the whole image is asked for. */
  async take(plan: Plan): Promise<ArrivedImage> {
    const { wanted } = plan;
    this.#begin(wanted);
    if (plan.kind === 'held') return this.#takeHeld(wanted, plan.image);
    try {
      const lacks = plan.kind === 'delta' ? plan.lacks : undefined;
      return await this.#pick(wanted, await this.#read([wanted], plan.archive, lacks));
    } catch (error) {
      if (plan.kind === 'whole' || !mayComeWhole(error)) throw error;
      const message = `the whole image is saved, since its new blobs could not be had alone: ${error.message}`;
      this.#options.onProgress?.({ kind: 'note', message });
      return this.#pick(wanted, await this.#read([wanted], this.#request(wanted.image.id)));
    }
  }

  /** Gets all images in one request, those that are held whole apart. */
  async takeTogether(wanted: readonly WantedImage[]): Promise<ArrivedImage[]> {
    const held = new Map<WantedImage, ArrivedImage>();
    for (const one of wanted) {
      const image = await this.#findHeld(one);
      if (image !== undefined) held.set(one, image);
    }
    const asked = wanted.filter((one) => !held.has(one));
    const ids = asked.map(({ image }) => image.id);
    const sent = asked.length > 0 ? await this.#read(asked, this.#request(ids)) : NOTHING;
    const images: ArrivedImage[] = [];
    for (const one of wanted) {
      this.#begin(one);
      const image = held.get(one);
      images.push(image === undefined ? await this.#pick(one, sent) : this.#takeHeld(one, image));
    }
    return images;
  }

  async #findHeld({ digest, image: { id } }: WantedImage): Promise<ArrivedImage | undefined> {
    const found = await this.#options.holdings?.findImage(digest);
    if (found === undefined) return undefined;
    const layers = found.layers.map(({ diffId, blob }) =>
      savedLayer(blob, { diffId, uncompressedSize: null, status: 'reused' }),
    );
    const annotations = partOf(id, digest);
    return {
      root: found.root,
      id: found.id,
      names: [],
      annotations,
      layers,
      isWritten: false,
      referrers: [],
    };
  }

  /** Images are asked for by ID: a tag may move meanwhile. */
  async #request(ids: Digest | Digest[], held?: SaveArchiveOptions['held']): Promise<Readable> {
    const { platform, signal } = this.#options;
    return this.#daemon.save(ids, { platform, signal, held });
  }

  async #read(
    wanted: readonly WantedImage[],
    archive: Promise<Readable>,
    stored?: StoredBlobs,
  ): Promise<ArchiveImages> {
    const expected = wanted.map(({ image }) => image.diffIds);
    try {
      return await readArchive(await archive, { ...this.#options, stored, expected });
    } catch (error) {
      throw isDrayageError(error, 'INCOMPLETE') ? lacking(wanted, error) : error;
    }
  }

  /** Takes a wanted image out of what was sent. */
  async #pick(wanted: WantedImage, { images, layers }: ArchiveImages): Promise<ArrivedImage> {
    const sent = findAsked(wanted, images);
    const annotations = { ...partOf(wanted.image.id, wanted.digest), ...sent.annotations };
    const arrived = { images: [{ ...sent, names: wanted.names, annotations }], layers };
    const [image = sent] = await forPlatform(arrived, this.#options);
    this.#held.add(image.layers);
    return image;
  }

  #takeHeld({ names }: WantedImage, image: ArrivedImage): ArrivedImage {
    for (const { digest, size, status } of image.layers)
      this.#options.onProgress?.({ kind: 'layer', digest, size, status });
    this.#held.add(image.layers);
    return { ...image, names };
  }

  #begin({ names, image }: WantedImage): void {
    this.#options.onProgress?.({ kind: 'image', name: names[0] ?? image.id });
  }
}

const NOTHING: ArchiveImages = { images: [], layers: new Map<never, never>() };

function ignore(): void {}

/** Whether an archive that lacks what is held failed in a way that the whole one may not. */
function mayComeWhole(error: unknown): error is DrayageError {
  return isUnusable(error) || isDrayageError(error, 'DAEMON', 'TIMEOUT');
}

/**
 * Finds what was asked for among what was sent: by its digest, or, where an ID is of a manifest as it was sent, by its
 * layers.
 * @throws {@link DrayageError} `DAEMON` where it is not there
 */
function findAsked({ image, digest }: WantedImage, images: readonly ArrivedImage[]): ArrivedImage {
  const diffIds = String(image.diffIds);
  const found =
    images.find(({ id, root, annotations }) =>
      [id, root.digest, annotations[ORIGINAL_INDEX]].some((own) => own === digest || own === image.id),
    ) ?? images.find(({ layers }) => String(layers.map(({ diffId }) => diffId)) === diffIds);
  if (found !== undefined) return found;
  const sent = images.map(({ id }) => id).join(', ') || 'no image';
  throw new DrayageError('DAEMON', `the daemon was asked for ${digest} and sent ${sent}`, {
    expected: digest,
    actual: sent,
    hint: 'save it again',
  });
}

/** A containerd store saves images of which it lacks content, without a word. */
function lacking(wanted: readonly WantedImage[], cause: DrayageError): DrayageError {
  const names = wanted.map((one) => one.names[0] ?? one.image.id).join(', ');
  const message = `the daemon sent ${names} without all of its content: ${cause.message}`;
  return new DrayageError('INCOMPLETE', message, {
    ...cause.facts,
    cause,
    hint: 'it may lack the content itself: pull or build the image again, then save it',
  });
}

/** The annotation of one image that was taken out of an index. */
function partOf(id: Digest, digest: Digest): Record<string, string> {
  return id === digest ? {} : { [ORIGINAL_INDEX]: id };
}

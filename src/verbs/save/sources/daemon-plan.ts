import { NO_NAME } from '../../../text/no-name.ts';
import type { Readable } from 'node:stream';
import type { Archive } from '../../../archive/read/archive.ts';
import type { StoredBlobs } from '../../../archive/read/read.ts';
import { readArchive } from '../../../archive/read/read.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { EndpointImage, ImageEndpoint, SaveArchiveOptions } from '../../../content/endpoint.ts';
import type { IngestedLayer } from '../../../content/layer.ts';
import { savedLayer } from '../../../content/layer.ts';
import { DrayageError, isDrayageError, isUnusable } from '../../../errors.ts';
import { annotatePart } from '../../../image/annotations.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { SourceOptions } from './source.ts';
import { HeldBlobs } from './held-blobs.ts';
import { assertLayersReadable, select, selectEach } from '../../../select/select.ts';
import type { SelectedImage } from '../../../select/selection.ts';

/** An image that is requested from a daemon. */
export interface WantedImage<Found extends EndpointImage = EndpointImage> {
  image: Found;
  /** The names by which it was requested. */
  names: string[];
  /** The image's ID; for one platform of several, the digest of its manifest. */
  digest: Digest;
}

/** An archive that a daemon sent, and all images in it. */
interface Sent {
  archive: Archive;
  images: SelectedImage[];
}

/** How a wanted image is got. What has to come has been asked for; that this failed is told when the archive is read. */
type Plan = { wanted: WantedImage } & (
  | { kind: 'held'; image: ArrivedImage }
  | { kind: 'delta'; archive: Promise<Readable>; lacks: StoredBlobs }
  | { kind: 'whole'; archive: Promise<Readable> }
);

/**
 * Saves images from a daemon with as few bytes as possible: nothing for an image that is held completely, only the
 * missing content if the daemon can select it, otherwise the whole image.
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

  /** Decides how to obtain an image, and requests the missing content from the daemon. */
  async plan(wanted: WantedImage): Promise<Plan> {
    const image = await this.#findHeld(wanted);
    if (image !== undefined) return { wanted, kind: 'held', image };
    const lacks = new Map<Digest, IngestedLayer | Descriptor>();
    const held = async (blobs: readonly Descriptor[]): Promise<ReadonlySet<Digest>> => {
      for (const [digest, blob] of await this.#held.find(blobs)) lacks.set(digest, blob);
      return new Set(lacks.keys());
    };
    const archive = this.#request(wanted.image.id, this.#held.isEmpty ? undefined : held);
    // A daemon that sends only what is missing asks for each of these proofs itself.
    if (this.#daemon.spools === true) this.#prepare([wanted]);
    await archive.then((stream) => stream.on('error', ignore), ignore);
    return lacks.size > 0 ? { wanted, kind: 'delta', archive, lacks } : { wanted, kind: 'whole', archive };
  }

  /** Obtains the image of a plan. If the missing content cannot be had alone, requests the whole image. */
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

  /** Obtains all images in one request, except those that are held completely. */
  async takeTogether(wanted: readonly WantedImage[]): Promise<ArrivedImage[]> {
    const held = new Map<WantedImage, ArrivedImage>();
    for (const one of wanted) {
      const image = await this.#findHeld(one);
      if (image !== undefined) held.set(one, image);
    }
    const asked = wanted.filter((one) => !held.has(one));
    const ids = asked.map(({ image }) => image.id);
    this.#prepare(asked);
    const sent = asked.length > 0 ? await this.#read(asked, this.#request(ids)) : undefined;
    const images: ArrivedImage[] = [];
    for (const one of wanted) {
      this.#begin(one);
      const image = held.get(one);
      if (image !== undefined) images.push(this.#takeHeld(one, image));
      else if (sent !== undefined) images.push(await this.#pick(one, sent));
    }
    return images;
  }

  async #findHeld({ digest, image: { id } }: WantedImage): Promise<ArrivedImage | undefined> {
    const found = await this.#options.holdings?.findImage(digest);
    if (found === undefined) return undefined;
    const layers = found.layers.map(({ diffId, blob }) =>
      savedLayer(blob, { diffId, uncompressedSize: null, status: 'reused' }),
    );
    const annotations = annotatePart(digest, id);
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

  /** Proves layers that are held while the daemon packs them. A failure shows when one is asked for. */
  #prepare(wanted: readonly WantedImage[]): void {
    const { holdings, signal } = this.#options;
    const diffIds = wanted.flatMap(({ image }) => image.diffIds);
    holdings?.prepare(diffIds, { signal }).catch(ignore);
  }

  /** Images are requested by ID, because a tag may move meanwhile. */
  async #request(ids: Digest | Digest[], held?: SaveArchiveOptions['held']): Promise<Readable> {
    const { platform, signal } = this.#options;
    return this.#daemon.save(ids, { platform, signal, held });
  }

  async #read(
    wanted: readonly WantedImage[],
    archive: Promise<Readable>,
    stored?: StoredBlobs,
  ): Promise<Sent> {
    const expected = wanted.map(({ image }) => image.diffIds);
    return orLacking(wanted, async () => {
      const { onProgress } = this.#options;
      if (this.#daemon.spools === true) onProgress?.({ kind: 'phase', phase: 'spooling' });
      const bytes = await archive;
      onProgress?.({ kind: 'phase', phase: 'reading' });
      const read = await readArchive(bytes, { ...this.#options, stored, expected });
      const images = await selectEach([read.place], { signal: this.#options.signal });
      for (const image of images) assertLayersReadable(image);
      return { archive: read, images };
    });
  }

  /** Takes a wanted image out of what was sent. */
  async #pick(wanted: WantedImage, { archive, images }: Sent): Promise<ArrivedImage> {
    const { platform, signal } = this.#options;
    const sent = findAsked(wanted, images);
    const digests = [sent.image.root.digest];
    const [{ root, image } = sent] =
      platform === undefined ? [] : await select([archive.place], { images: digests, platform, signal });
    const annotations = {
      ...annotatePart(wanted.digest, wanted.image.id),
      ...annotatePart(root.digest, sent.root.digest),
    };
    const named = { ...image, names: wanted.names, annotations };
    const stored = await orLacking([wanted], () => archive.store({ root, image: named }));
    this.#held.add(stored.layers);
    this.#options.arriving?.settle(stored.layers);
    return stored;
  }

  #takeHeld({ names }: WantedImage, image: ArrivedImage): ArrivedImage {
    for (const layer of image.layers) this.#options.arriving?.tell(layer);
    this.#held.add(image.layers);
    this.#options.arriving?.settle(image.layers);
    return { ...image, names };
  }

  #begin({ names, image }: WantedImage): void {
    this.#options.onProgress?.({ kind: 'image', name: names[0] ?? image.id });
  }
}

function ignore(): void {}

/** Whether an archive without the held content failed in a way that a whole archive may not. */
function mayComeWhole(error: unknown): error is DrayageError {
  return isUnusable(error) || isDrayageError(error, 'DAEMON', 'TIMEOUT');
}

/**
 * Finds a requested image among the sent ones: by its digest, or, if an ID is that of a manifest as it was sent, by its
 * layers.
 * @throws {@link DrayageError} `DAEMON` if it is absent
 */
function findAsked({ image, digest }: WantedImage, images: readonly SelectedImage[]): SelectedImage {
  const diffIds = String(image.diffIds);
  const found =
    images.find((one) => idsOf(one).some((own) => own === digest || own === image.id)) ??
    images.find(({ read }) =>
      read.some(({ layers }) => String(layers.map(({ diffId }) => diffId)) === diffIds),
    );
  if (found !== undefined) return found;
  const sent = images.map(({ read }) => read[0].config.descriptor.digest).join(', ');
  throw new DrayageError('DAEMON', `the daemon was asked for ${digest} and sent ${sent}`, {
    expected: digest,
    actual: sent,
    hint: 'save it again',
  });
}

/** The digests of a root, and of the manifests and configs below it. */
function idsOf({ root, read }: SelectedImage): Digest[] {
  const own = read.flatMap(({ manifest, config }) => [manifest.descriptor.digest, config.descriptor.digest]);
  return [root.digest, ...own];
}

/** A containerd store saves images with missing content, and does not say so. */
async function orLacking<T>(wanted: readonly WantedImage[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isDrayageError(error, 'INCOMPLETE') ? lacking(wanted, error) : error;
  }
}

function lacking(wanted: readonly WantedImage[], cause: DrayageError): DrayageError {
  const names = wanted.map((one) => one.names[0] ?? `${NO_NAME} ${one.digest}`).join(', ');
  const message = `the daemon sent ${names} without all of its content: ${cause.message}`;
  return new DrayageError('INCOMPLETE', message, {
    ...cause.facts,
    cause,
    hint: 'it may lack the content itself: pull or build the image again, then save it',
  });
}

import { Readable } from 'node:stream';
import type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
import { DrayageError, isDamage, isDrayageError } from '../errors.ts';
import { images } from './image.ts';
import type { Layer } from './layer.ts';
import { prove } from './prove.ts';
import { BASE_DIGEST, BASE_NAME } from '../oci/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { omittedBlobs, omittedLayers } from './omitted-layers.ts';
import type { OnProgress } from '../progress.ts';
import type { PlacedImage } from '../content/image-index.ts';

/** The base of an image, as a layout names it. Nobody vouches for it: what is read there is checked. */
export interface BaseReference {
  /** Full name: `docker.io/library/node:22`. */
  name: string;
  /** What it meant when the image was saved: a manifest or an index. */
  digest?: string | undefined;
}

/**
 * Opens where the layers of a base image are read. They are read twice, so it should keep them.
 * @throws {@link DrayageError} where that cannot be reached, or must not be
 */
export type OpenBase = (base: BaseReference, options: ContentOptions) => Promise<ContentSource>;

/** Options of {@link wholeContent}. */
interface WholeContentOptions extends ContentOptions {
  /** Further places that may have what is left out; they are asked first. */
  others?: readonly ContentSource[];
  /** Default: nothing is read but from these places. */
  openBase?: OpenBase;
  onProgress?: OnProgress;
}

/**
 * The content of an image, whole: layers that its place leaves out on purpose are read from elsewhere, when they are asked
 * for. What is read from the base is checked against its digest, and, unless the reader does that, against its diffID. All of
 * it counts as there; opening tells.
 * @throws {@link DrayageError} `MALFORMED`; on opening what is left out `NOT_FOUND` where nobody is known to have it, and
 * `UNREACHABLE` naming the base where that cannot give it
 */
export async function wholeContent(
  placed: PlacedImage,
  options: WholeContentOptions = {},
): Promise<ContentSource> {
  const { place, image } = placed;
  const omitted = omittedLayers(image.annotations, image.root.digest);
  if (omitted === 0) return place;
  const leftOut = new Map<Digest, Layer>();
  for await (const { manifest, layers } of images(place, image.root, { signal: options.signal })) {
    const digests = omittedBlobs(manifest.value.layers, omitted);
    for (const layer of layers) if (digests.has(layer.blob.digest)) leftOut.set(layer.blob.digest, layer);
  }
  return new WholeContent(placed, leftOut, options);
}

class WholeContent implements ContentSource {
  readonly #placed: PlacedImage;
  readonly #leftOut: ReadonlyMap<Digest, Layer>;
  readonly #options: WholeContentOptions;
  #base: Promise<ContentSource> | undefined;
  #isTold = false;

  constructor(placed: PlacedImage, leftOut: ReadonlyMap<Digest, Layer>, options: WholeContentOptions) {
    this.#placed = placed;
    this.#leftOut = leftOut;
    this.#options = options;
  }

  async has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    return this.#leftOut.has(descriptor.digest) || this.#placed.place.has(descriptor, options);
  }

  async open(descriptor: Descriptor, options: OpenOptions = {}): Promise<Readable> {
    const { place } = this.#placed;
    const layer = this.#leftOut.get(descriptor.digest);
    if (layer === undefined || (await place.has(descriptor, options))) return place.open(descriptor, options);
    for (const other of this.#options.others ?? [])
      if (await other.has(descriptor, options)) return other.open(descriptor, options);
    return this.#openBase(layer, options);
  }

  async #openBase({ diffId, blob }: Layer, options: OpenOptions): Promise<Readable> {
    const { openBase, onProgress, signal } = this.#options;
    const reference = this.#reference();
    if (openBase === undefined || reference === undefined) throw this.#nowhere(blob, reference);
    try {
      this.#base ??= openBase(reference, { signal });
      const base = await this.#base;
      if (options.diffIdChecked !== true) await prove(base, { diffId, blob }, { signal: options.signal });
      const bytes = await base.open(blob, options);
      const message = `${this.#name}: what is left out of its layout is read from its base ${nameOf(reference)}`;
      if (!this.#isTold) onProgress?.({ kind: 'note', message });
      this.#isTold = true;
      const named = Readable.from(this.#named(bytes, blob, reference), { objectMode: false });
      // A stream that nobody reads has not consumed it.
      named.once('close', () => bytes.destroy());
      return named;
    } catch (error) {
      throw this.#unreachable(error, blob, reference);
    }
  }

  /** What fails on the way names the base as well. */
  async *#named(
    bytes: AsyncIterable<Uint8Array>,
    blob: Descriptor,
    reference: BaseReference,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* bytes;
    } catch (error) {
      throw this.#unreachable(error, blob, reference);
    }
  }

  get #name(): string {
    const { names, root } = this.#placed.image;
    return names[0] ?? root.digest;
  }

  #reference(): BaseReference | undefined {
    const { [BASE_NAME]: name, [BASE_DIGEST]: digest } = this.#placed.image.annotations;
    return name === undefined ? undefined : { name, digest };
  }

  #nowhere({ digest }: Descriptor, reference: BaseReference | undefined): DrayageError {
    const from = reference === undefined ? '' : ` (it comes from ${nameOf(reference)})`;
    return new DrayageError(
      'NOT_FOUND',
      `layer ${digest} of ${this.#name} is left out of its layout and in none of the others${from}`,
      { hint: 'name the layout, too, that the image was saved against, or load its base first' },
    );
  }

  /** Damaged content stays what it is; whatever else is the matter, the base does not give what it should. */
  #unreachable(error: unknown, { digest }: Descriptor, reference: BaseReference): unknown {
    if (isDamage(error) || !isDrayageError(error)) return error;
    return new DrayageError(
      'UNREACHABLE',
      `layer ${digest} of ${this.#name} is left out of its layout, and cannot be had from its base ${nameOf(reference)}: ${error.message}`,
      {
        ...error.facts,
        digest,
        cause: error,
        reason: 'BASE_UNREACHABLE',
        hint: `make sure that ${reference.name} is there and that this job may pull it`,
      },
    );
  }
}

function nameOf({ name, digest }: BaseReference): string {
  return digest === undefined ? name : `${name}@${digest}`;
}

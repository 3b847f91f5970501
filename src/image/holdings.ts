import { layersOfAll } from '../content/layer.ts';
import type { ContentOptions, ContentSource, VerifiableSource } from '../content/source.ts';
import { isUnusable } from '../errors.ts';
import { contentsOf } from './contents.ts';
import { images, isUnreadable } from './image.ts';
import type { Layer } from './layer.ts';
import type { Ledger } from './ledger.ts';
import { proveAll } from './prove.ts';
import { isProven, pairOf } from './proven.ts';
import { statedLayers } from './stated-layers.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { bareDescriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { drain } from '../stream/drain.ts';

/** An image that a place holds: intact, with every layer proven. */
export interface HeldImage {
  /** The index or the manifest that has the ID, or the manifest whose config has it. */
  root: Descriptor;
  /** The config digest of the first image below the root. */
  id: Digest;
  /** The layers of all images below the root: {@link layersOfAll}. */
  layers: Layer[];
}

/** An intact blob of a place that stands for a requested one, or is that one. */
export interface HeldBlob {
  blob: Descriptor;
  /** The layer that it is proven to contain; undefined if none is known. */
  diffId: Digest | undefined;
}

/** A place that may check its blobs without reading them out. */
type CheckedSource = ContentSource & Partial<VerifiableSource>;

/**
 * The layers that a place holds: each blob is intact there, and proven to contain its layer. Each pair is checked once.
 */
export class HeldLayers {
  readonly #source: CheckedSource;
  readonly #options: ContentOptions;
  readonly #known = new Map<string, boolean>();
  /** Proofs that run. Each is asked for again when it has ended. */
  #proving: Promise<unknown> = Promise.resolve();

  constructor(source: CheckedSource, options: ContentOptions = {}) {
    this.#source = source;
    this.#options = options;
  }

  /** Those of the layers that are held. Proves several at a time. A call waits for the ones before it. */
  async among(layers: readonly Layer[], options?: ContentOptions): Promise<Layer[]> {
    const proving = this.#proving.then(async () => this.#proveNew(layers, options));
    this.#proving = proving.catch(() => undefined);
    await proving;
    return layers.filter((layer) => this.#known.get(pairOf(layer)) === true);
  }

  async #proveNew(layers: readonly Layer[], options: ContentOptions = this.#options): Promise<void> {
    const isNew = (layer: Layer): boolean => !this.#known.has(pairOf(layer));
    for (const layer of layers.filter(isNew))
      if (isProven(layer)) this.#known.set(pairOf(layer), await this.isIntact(layer.blob));
    const unproven = layers.filter(isNew);
    const onUnusable = (layer: Layer): void => void this.#known.set(pairOf(layer), false);
    await proveAll(this.#source, unproven, { ...options, onUnusable });
    for (const layer of unproven.filter(isNew)) this.#known.set(pairOf(layer), true);
  }

  /** Whether a blob is present and intact. */
  async isIntact(blob: Descriptor): Promise<boolean> {
    const source = this.#source;
    try {
      if (source.verifyBlob === undefined) await drain(await source.open(blob, this.#options));
      else await source.verifyBlob(blob, this.#options);
      return true;
    } catch (error) {
      if (isUnusable(error)) return false;
      throw error;
    }
  }
}

/** What a store holds, so that it need not arrive again. All of it is intact, and its layers are proven. */
export class Holdings {
  readonly #store: ContentSource;
  readonly #roots: readonly Descriptor[];
  readonly #ledger: Ledger;
  readonly #options: ContentOptions;
  readonly #held: HeldLayers;
  /** The images below the roots, by each of their IDs. */
  readonly #images = new Map<Digest, HeldImage[]>();
  #learned: Promise<void> | undefined;

  /**
   * @param roots of the images of the store
   * @param ledger receives the claims of these images about their layers
   */
  constructor(
    store: CheckedSource,
    roots: readonly Descriptor[],
    ledger: Ledger,
    options: ContentOptions = {},
  ) {
    this.#store = store;
    this.#roots = roots;
    this.#ledger = ledger;
    this.#options = options;
    this.#held = new HeldLayers(store, options);
  }

  /** Finds the blob of a layer. */
  async findLayer(diffId: Digest): Promise<Descriptor | undefined> {
    await this.#learn();
    for (const layer of this.#ledger.ofLayer(diffId))
      if ((await this.#held.among([layer])).length > 0) return layer.blob;
    return undefined;
  }

  /**
   * Proves what the store has of layers, several at a time: {@link findLayer} then answers at once. For layers that are
   * about to arrive.
   */
  async prepare(diffIds: readonly Digest[], options?: ContentOptions): Promise<void> {
    await this.#learn();
    const first = [...new Set(diffIds)].flatMap((diffId) => this.#ledger.ofLayer(diffId).slice(0, 1));
    await this.#held.among(first, options);
  }

  /** Finds an image by its ID: the digest of its root, of its manifest or of its config. */
  async findImage(id: Digest): Promise<HeldImage | undefined> {
    await this.#learn();
    for (const image of this.#images.get(id) ?? []) {
      try {
        if (await this.#isWhole(image.root)) return image;
      } catch (error) {
        // Damaged content does not count as held.
        if (!isUnreadable(error)) throw error;
      }
    }
    return undefined;
  }

  /**
   * Which of these blobs are held, each with the blob that stands for it: an uncompressed layer may be held in another
   * compression.
   */
  async findBlobs(blobs: readonly Descriptor[]): Promise<Map<Digest, HeldBlob>> {
    await this.#learn();
    const held = new Set(await this.#held.among(blobs.flatMap(({ digest }) => this.#ledger.named(digest))));
    const found = new Map<Digest, HeldBlob>();
    for (const descriptor of blobs) {
      const layer = this.#ledger.named(descriptor.digest).find((one) => held.has(one));
      if (layer !== undefined) found.set(descriptor.digest, layer);
      else if (await this.#held.isIntact(descriptor))
        found.set(descriptor.digest, { blob: bareDescriptor(descriptor), diffId: undefined });
    }
    return found;
  }

  async #learn(): Promise<void> {
    this.#learned ??= this.#learnAll();
    await this.#learned;
  }

  /** Reads the documents of every root once. An unreadable one claims nothing, and is no image. */
  async #learnAll(): Promise<void> {
    for (const root of this.#roots) {
      try {
        await this.#learnRoot(root);
      } catch (error) {
        if (!isUnreadable(error)) throw error;
      }
    }
  }

  async #learnRoot(root: Descriptor): Promise<void> {
    let first: Digest | undefined;
    const stacks: Layer[][] = [];
    for await (const { manifest, config, layers } of images(this.#store, root, this.#options)) {
      this.#ledger.claim(layers);
      const id = config.descriptor.digest;
      const part = { root: bareDescriptor(manifest.descriptor), id, layers };
      for (const own of new Set([id, part.root.digest])) if (own !== root.digest) this.#note(own, part);
      first ??= id;
      stacks.push(layers);
    }
    if (first !== undefined) this.#note(root.digest, { root, id: first, layers: layersOfAll(stacks) });
  }

  #note(id: Digest, image: HeldImage): void {
    const known = this.#images.get(id);
    if (known === undefined) this.#images.set(id, [image]);
    else known.push(image);
  }

  /** Whether all that a root leads to is held. Non-distributable layers may be absent. */
  async #isWhole(root: Descriptor): Promise<boolean> {
    const contents = await contentsOf(this.#store, root, this.#options);
    const { blobs, absent } = contents;
    const present = new Set(blobs.map(({ digest }) => digest));
    const stated = await statedLayers(this.#store, contents, this.#options);
    const layers = stated.filter(({ blob }) => present.has(blob.digest));
    const held = await this.#held.among(layers);
    if (absent.length > 0 || held.length < layers.length) return false;
    const proven = new Set(held.map(({ blob }) => blob.digest));
    for (const blob of blobs)
      if (!proven.has(blob.digest) && !(await this.#held.isIntact(blob))) return false;
    return true;
  }
}

import { layersOfAll } from '../content/layer.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { contentsOf } from './contents.ts';
import type { CheckedSource } from './held-layers.ts';
import { HeldLayers } from './held-layers.ts';
import { images, isUnreadable } from './image.ts';
import type { Layer } from './layer.ts';
import type { Ledger } from './ledger.ts';
import { provenBlob } from './proven.ts';
import { statedLayers } from './stated-layers.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { bareDescriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { buildManifest } from '../oci/manifest.ts';
import { OCI_CONFIG } from '../oci/media-types.ts';

/** An image that a place holds: intact, with every layer proven. */
export interface HeldImage {
  /** The index or the manifest that has the ID, or the manifest whose config has it. */
  root: Descriptor;
  /** The config digest of the first image below the root. */
  id: Digest;
  /** The layers of all images below the root: {@link layersOfAll}. */
  layers: Layer[];
}

/** An image of a place, whole or not. */
interface KnownImage extends HeldImage {
  /** That of the first image below the root. */
  config: Descriptor;
}

/** An intact blob of a place that stands for a requested one, or is that one. */
export interface HeldBlob {
  blob: Descriptor;
  /** The layer that it is proven to contain; undefined if none is known. */
  diffId: Digest | undefined;
}

/** What a store holds, so that it need not arrive again. All of it is intact, and its layers are proven. */
export class Holdings {
  readonly #store: ContentSource;
  readonly #roots: readonly Descriptor[];
  readonly #ledger: Ledger;
  readonly #options: ContentOptions;
  readonly #held: HeldLayers;
  /** The images below the roots, by each of their IDs. */
  readonly #images = new Map<Digest, KnownImage[]>();
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

  /** Finds the blob of a layer, as it was proven to be. */
  async findLayer(diffId: Digest): Promise<Descriptor | undefined> {
    await this.#learn();
    for (const layer of this.#ledger.ofLayer(diffId))
      if ((await this.#held.among([layer])).length > 0) return provenBlob(layer);
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

  /**
   * Finds an image by its ID: the digest of its root, of its manifest or of its config. A config says nothing about the manifest
   * that names it, so by its digest only an image is found whose manifest a save would write.
   */
  async findImage(id: Digest): Promise<HeldImage | undefined> {
    await this.#learn();
    for (const image of this.#images.get(id) ?? []) {
      try {
        if ((await this.#isWhole(image.root)) && (id !== image.id || isWrittenBySave(image))) return image;
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
      if (layer !== undefined)
        found.set(descriptor.digest, { blob: provenBlob(layer) ?? layer.blob, diffId: layer.diffId });
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
    let first: Descriptor | undefined;
    const stacks: Layer[][] = [];
    for await (const { manifest, config, layers } of images(this.#store, root, this.#options)) {
      this.#ledger.claim(layers);
      const id = config.descriptor.digest;
      const part = { root: bareDescriptor(manifest.descriptor), id, config: config.descriptor, layers };
      for (const own of new Set([id, part.root.digest])) if (own !== root.digest) this.#note(own, part);
      first ??= config.descriptor;
      stacks.push(layers);
    }
    if (first === undefined) return;
    const whole = {
      root: bareDescriptor(root),
      id: first.digest,
      config: first,
      layers: layersOfAll(stacks),
    };
    this.#note(root.digest, whole);
  }

  #note(id: Digest, image: KnownImage): void {
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

/**
 * Whether an image's manifest is the one that a save writes over its layers. Then nothing in it is the choice of whoever put it
 * there: no annotation, no subject, no other type or address of a blob.
 */
function isWrittenBySave({ root, config, layers }: KnownImage): boolean {
  const blobs = layers.flatMap((layer) => provenBlob(layer) ?? []);
  const { descriptor } = buildManifest({ ...config, mediaType: OCI_CONFIG }, blobs);
  return descriptor.digest === root.digest;
}

import type { Readable } from 'node:stream';
import type { BeginOptions, BlobWriter } from '../content/sink.ts';
import type { ContentOptions, OpenOptions } from '../content/source.ts';
import type { StoreTransaction } from '../content/store.ts';
import { writeBlob } from '../content/sink.ts';
import { DrayageError, isAbsentOrDamaged, isUnusable } from '../errors.ts';
import type { Layer } from '../image/layer.ts';
import { isProven, prove } from '../image/prove.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isDigest } from '../oci/digest.ts';
import { hasBlob, openBlob } from './blob-file.ts';
import type { HeldBlob, HeldImage, HoldingsAccess } from './holdings.ts';
import { findHeldBlobs, findHeldImage } from './holdings.ts';
import { nameAnnotations } from '../listing/names.ts';
import { LayerMap } from './layer-map.ts';
import { StagedContent } from './staged-content.ts';
import type { Staging } from './staging.ts';
import type { StoredContent } from './stored-content.ts';

/** A change of a layout that is being prepared. */
export interface LayoutTransaction extends StoreTransaction {
  /**
   * Finds the blob of a layer whose bytes are known to be intact, and to be that layer.
   * @returns undefined where no image of the layout or of this transaction has the layer, or its blob is absent, damaged or
   * another layer's
   */
  findLayer(diffId: Digest, options?: ContentOptions): Promise<Descriptor | undefined>;
  /**
   * Finds an image that the layout holds, by its ID: the digest of its root or of its config. All content of it is intact,
   * as its digests say: each blob is hashed, on all cores, and none is decompressed.
   */
  findImage(id: Digest, options?: ContentOptions): Promise<HeldImage | undefined>;
  /**
   * Which of these blobs the layout holds, intact, each with the blob that stands for it: an uncompressed layer may be held
   * in another compression. Hashed as by {@link findImage}.
   */
  findBlobs(blobs: readonly Descriptor[], options?: ContentOptions): Promise<Map<Digest, HeldBlob>>;
}

/** A change to index.json. */
export type IndexChange =
  | { kind: 'add'; root: Descriptor; names: readonly string[]; annotations: Record<string, string> }
  | { kind: 'remove'; target: { digest: Digest } | { name: string } };

/** The transaction as the layout sees it. */
export class Transaction implements LayoutTransaction {
  readonly staged: StagedContent;
  readonly changes: IndexChange[] = [];
  readonly #stored: StoredContent;
  readonly #signal: AbortSignal | undefined;
  readonly #storedRoots: () => Promise<Descriptor[]>;
  #layers: Promise<LayerMap> | undefined;
  #isOver = false;

  /** @param storedRoots tells the roots of the images that the layout holds */
  constructor(
    staging: Staging,
    stored: StoredContent,
    storedRoots: () => Promise<Descriptor[]>,
    signal: AbortSignal | undefined,
  ) {
    this.staged = new StagedContent(staging);
    this.#stored = stored;
    this.#storedRoots = storedRoots;
    this.#signal = signal;
  }

  async has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    this.#assertUsable(options);
    const staged = this.staged.get(descriptor.digest);
    if (staged !== undefined && (await hasBlob(staged.file, descriptor))) return true;
    return this.#stored.has(descriptor, options);
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    this.#assertUsable(options);
    const staged = this.staged.get(descriptor.digest);
    if (staged === undefined) return this.#stored.open(descriptor, options);
    return openBlob(staged.file, descriptor, options);
  }

  async put(
    descriptor: Descriptor,
    bytes: AsyncIterable<Uint8Array>,
    options: ContentOptions = {},
  ): Promise<void> {
    this.#assertUsable(options);
    if (await this.#isIntact(descriptor, options)) return;
    await writeBlob(await this.begin(options), bytes, descriptor);
  }

  async begin(options?: BeginOptions): Promise<BlobWriter> {
    this.#assertUsable(options);
    return this.staged.begin(() => this.#assertUsable(options), options);
  }

  add(root: Descriptor, names: readonly string[], annotations: Record<string, string>): void {
    this.#assertUsable();
    names.forEach(nameAnnotations);
    this.changes.push({ kind: 'add', root, names: [...names], annotations: { ...annotations } });
  }

  remove(nameOrDigest: string): void {
    this.#assertUsable();
    const target = isDigest(nameOrDigest) ? { digest: nameOrDigest } : { name: nameOrDigest };
    this.changes.push({ kind: 'remove', target });
  }

  async findLayer(diffId: Digest, options: ContentOptions = {}): Promise<Descriptor | undefined> {
    this.#assertUsable(options);
    this.#layers ??= this.#learnStored();
    const layers = await this.#layers;
    for (const change of this.changes)
      if (change.kind === 'add') await layers.learn(this, change.root, options);
    for (const blob of layers.blobs(diffId)) if (await this.#holds({ diffId, blob }, options)) return blob;
    return undefined;
  }

  async findImage(id: Digest, options: ContentOptions = {}): Promise<HeldImage | undefined> {
    return findHeldImage(await this.#holdings(options), id, options);
  }

  async findBlobs(
    blobs: readonly Descriptor[],
    options: ContentOptions = {},
  ): Promise<Map<Digest, HeldBlob>> {
    return findHeldBlobs(await this.#holdings(options), blobs);
  }

  /** Ends all use of the transaction. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.staged.close();
  }

  async #learnStored(): Promise<LayerMap> {
    const layers = new LayerMap();
    for (const root of await this.#storedRoots())
      await layers.learn(this.#stored, root, { signal: this.#signal });
    return layers;
  }

  async #holdings({ signal = this.#signal }: ContentOptions): Promise<HoldingsAccess> {
    this.#assertUsable({ signal });
    this.#layers ??= this.#learnStored();
    return {
      source: this.#stored,
      roots: await this.#storedRoots(),
      layers: await this.#layers,
      intact: (descriptors) => this.#stored.intact(descriptors, { signal }),
    };
  }

  /** Whether a blob is there, intact, and holds the layer that some image says it does. */
  async #holds(layer: Layer, { signal = this.#signal }: ContentOptions): Promise<boolean> {
    const { blob } = layer;
    if (isProven(layer)) return this.#isIntact(blob, { signal });
    try {
      await prove(this, layer, { signal });
      return true;
    } catch (error) {
      if (isUnusable(error)) return false;
      throw error;
    }
  }

  /** Whether the content is there and its bytes were hashed, now or earlier. */
  async #isIntact(descriptor: Descriptor, { signal = this.#signal }: ContentOptions): Promise<boolean> {
    const staged = this.staged.get(descriptor.digest);
    if (staged !== undefined) return staged.descriptor.size === descriptor.size;
    try {
      await this.#stored.verify(descriptor, { signal });
      return true;
    } catch (error) {
      if (isAbsentOrDamaged(error)) return false;
      throw error;
    }
  }

  #assertUsable({ signal }: ContentOptions = {}): void {
    this.#signal?.throwIfAborted();
    signal?.throwIfAborted();
    if (this.#isOver) throw new DrayageError('USAGE', 'the update of the layout is over');
  }
}

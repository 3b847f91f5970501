import type { Readable } from 'node:stream';
import type { Holdings } from '../arrival.ts';
import type { BeginOptions, BlobWriter, ContentSink } from '../../../content/sink.ts';
import type { ContentOptions, ContentSource, OpenOptions } from '../../../content/source.ts';
import type { HeldBlob, HeldImage } from '../../../layout/holdings.ts';
import type { LayoutTransaction } from '../../../layout/transaction.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { LayerBase } from './layer-base.ts';

/**
 * A layout that is being changed, with bases behind it: their layers count as if they were held, so that they need not be
 * sent, compressed or stored. What an image needs of them all the same is for `leaveOut` to bring in.
 */
export class BackedContent implements ContentSource, ContentSink, Holdings {
  /** The blobs of bases that were named as held. */
  readonly offered: Set<Digest> = new Set<Digest>();
  readonly #content: LayoutTransaction;
  readonly #bases: readonly LayerBase[];

  constructor(content: LayoutTransaction, bases: readonly LayerBase[]) {
    this.#content = content;
    this.#bases = bases;
  }

  async has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    if (await this.#content.has(descriptor, options)) return true;
    return (await this.#holder(descriptor, options)) !== undefined;
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    const isOwn = await this.#content.has(descriptor, options);
    const base = isOwn ? undefined : await this.#holder(descriptor, options);
    return (base?.source ?? this.#content).open(descriptor, options);
  }

  async put(
    descriptor: Descriptor,
    bytes: AsyncIterable<Uint8Array>,
    options?: ContentOptions,
  ): Promise<void> {
    return this.#content.put(descriptor, bytes, options);
  }

  async begin(options?: BeginOptions): Promise<BlobWriter> {
    return this.#content.begin(options);
  }

  /** Finds the blob of a layer, here or in a base. */
  async findLayer(diffId: Digest, options?: ContentOptions): Promise<Descriptor | undefined> {
    return (await this.#content.findLayer(diffId, options)) ?? this.#offer(diffId, options);
  }

  async findImage(id: Digest, options?: ContentOptions): Promise<HeldImage | undefined> {
    return this.#content.findImage(id, options);
  }

  async findBlobs(
    blobs: readonly Descriptor[],
    options?: ContentOptions,
  ): Promise<ReadonlyMap<Digest, HeldBlob>> {
    const found = new Map(await this.#content.findBlobs(blobs, options));
    for (const { digest } of blobs) {
      if (found.has(digest)) continue;
      const held = (await this.#heldBlob(digest, options)) ?? (await this.#heldLayer(digest, options));
      if (held !== undefined) found.set(digest, held);
    }
    return found;
  }

  async #heldBlob(digest: Digest, options?: ContentOptions): Promise<HeldBlob | undefined> {
    for (const base of this.#bases) {
      const layer = await base.findBlob(digest, options);
      if (layer === undefined) continue;
      this.offered.add(digest);
      return layer;
    }
    return undefined;
  }

  /** An uncompressed layer is named by its diffID. */
  async #heldLayer(diffId: Digest, options?: ContentOptions): Promise<HeldBlob | undefined> {
    const blob = await this.#offer(diffId, options);
    return blob && { blob, diffId };
  }

  async #offer(diffId: Digest, options?: ContentOptions): Promise<Descriptor | undefined> {
    for (const base of this.#bases) {
      const blob = await base.findLayer(diffId, options);
      if (blob === undefined) continue;
      this.offered.add(blob.digest);
      return blob;
    }
    return undefined;
  }

  async #holder({ digest }: Descriptor, options?: ContentOptions): Promise<LayerBase | undefined> {
    for (const base of this.#bases) if (await base.findBlob(digest, options)) return base;
    return undefined;
  }
}

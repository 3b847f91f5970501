import type { Readable } from 'node:stream';
import type { BeginOptions, BlobWriter, ContentSink } from '../../../content/sink.ts';
import type { ContentOptions, ContentSource, OpenOptions } from '../../../content/source.ts';
import type { HeldBlob, HeldImage, Holdings } from '../../../image/holdings.ts';
import type { Layer } from '../../../image/layer.ts';
import type { Ledger } from '../../../image/ledger.ts';
import { provenBlob } from '../../../image/proven.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { Base } from './base.ts';
import { findInBases } from './base.ts';

/**
 * A store that is being changed, with bases behind it: their layers count as held, so that they need not be sent,
 * compressed or stored. `omitLayers` reads those that an image needs after all.
 */
export class ContentOverBases
  implements ContentSource, ContentSink, Pick<Holdings, 'findImage' | 'findBlobs' | 'prepare'>
{
  /** The bases of blobs that were reported as held. */
  readonly offered: Map<Digest, Base> = new Map<Digest, Base>();
  readonly #content: ContentSource & ContentSink;
  readonly #holdings: Holdings;
  readonly #bases: readonly Base[];
  readonly #ledger: Ledger;

  constructor(
    content: ContentSource & ContentSink,
    holdings: Holdings,
    bases: readonly Base[],
    ledger: Ledger,
  ) {
    this.#content = content;
    this.#holdings = holdings;
    this.#bases = bases;
    this.#ledger = ledger;
  }

  async has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    return this.offered.has(descriptor.digest) || this.#content.has(descriptor, options);
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    const isOwn = await this.#content.has(descriptor, options);
    const base = isOwn ? undefined : this.offered.get(descriptor.digest);
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

  /** That of the store, if it has one. */
  get spool(): ContentSink['spool'] {
    return this.#content.spool?.bind(this.#content);
  }

  /** Finds the blob of a layer, in the store or in a base. */
  async findLayer(diffId: Digest): Promise<Descriptor | undefined> {
    return (
      (await this.#holdings.findLayer(diffId)) ?? (await this.#offer(this.#ledger.ofLayer(diffId)))?.blob
    );
  }

  async prepare(diffIds: readonly Digest[], options?: ContentOptions): Promise<void> {
    await this.#holdings.prepare(diffIds, options);
  }

  async findImage(id: Digest): Promise<HeldImage | undefined> {
    return this.#holdings.findImage(id);
  }

  async findBlobs(blobs: readonly Descriptor[]): Promise<Map<Digest, HeldBlob>> {
    const found = await this.#holdings.findBlobs(blobs);
    for (const { digest } of blobs) {
      const layer = found.has(digest) ? undefined : await this.#offer(this.#ledger.named(digest));
      if (layer !== undefined) found.set(digest, layer);
    }
    return found;
  }

  async #offer(layers: readonly Layer[]): Promise<Layer | undefined> {
    const found = await findInBases(this.#bases, layers);
    if (found === undefined) return undefined;
    const { base, layer } = found;
    this.offered.set(layer.blob.digest, base);
    return { ...layer, blob: provenBlob(layer) ?? layer.blob };
  }
}

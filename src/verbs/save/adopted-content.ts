import type { Readable } from 'node:stream';
import type { StoredImage } from '../../content/image-index.ts';
import type { BeginOptions, BlobWriter } from '../../content/sink.ts';
import type { ContentOptions, ContentSource, OpenOptions } from '../../content/source.ts';
import type { StoreTransaction } from '../../content/store.ts';
import { DrayageError } from '../../errors.ts';
import { contentsOf } from '../../image/contents.ts';
import type { HeldBlob, Holdings } from '../../image/holdings.ts';
import { isUnreadable } from '../../image/image.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';

/**
 * A change of a store whose images are adopted. Their stored blobs count as new, so that bases may replace them: a dropped
 * one is absent from here on, and removed when the change has ended.
 */
export class AdoptedContent implements StoreTransaction {
  readonly dropped: Set<Digest> = new Set<Digest>();
  readonly #content: StoreTransaction;

  constructor(content: StoreTransaction) {
    this.#content = content;
  }

  async has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    return !this.dropped.has(descriptor.digest) && this.#content.has(descriptor, options);
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    if (!this.dropped.has(descriptor.digest)) return this.#content.open(descriptor, options);
    throw new DrayageError('NOT_FOUND', `blob ${descriptor.digest} is omitted`, {
      digest: descriptor.digest,
    });
  }

  async put(
    descriptor: Descriptor,
    bytes: AsyncIterable<Uint8Array>,
    options?: ContentOptions,
  ): Promise<void> {
    this.dropped.delete(descriptor.digest);
    await this.#content.put(descriptor, bytes, options);
  }

  async begin(options?: BeginOptions): Promise<BlobWriter> {
    return this.#content.begin(options);
  }

  add(root: Descriptor, names: readonly string[], annotations: Record<string, string>): void {
    this.#content.add(root, names, annotations);
  }

  drop(digest: Digest): void {
    this.dropped.add(digest);
    this.#content.drop?.(digest);
  }

  remove(nameOrDigest: string): void {
    this.#content.remove(nameOrDigest);
  }
}

/** What other images of a store need: these blobs stay in any case. */
export class NeededByOthers implements Pick<Holdings, 'findBlobs'> {
  readonly #source: ContentSource;
  readonly #others: readonly StoredImage[];
  readonly #options: ContentOptions;
  #needed: Promise<ReadonlySet<Digest> | 'unknown'> | undefined;

  constructor(source: ContentSource, others: readonly StoredImage[], options: ContentOptions) {
    this.#source = source;
    this.#others = others;
    this.#options = options;
  }

  async findBlobs(blobs: readonly Descriptor[]): Promise<Map<Digest, HeldBlob>> {
    this.#needed ??= this.#find();
    const needed = await this.#needed;
    const staying = blobs.filter(({ digest }) => needed === 'unknown' || needed.has(digest));
    return new Map(staying.map((blob) => [blob.digest, { blob: bareDescriptor(blob), diffId: undefined }]));
  }

  /** Nobody knows what an unreadable image needs: it may be any blob. */
  async #find(): Promise<ReadonlySet<Digest> | 'unknown'> {
    const needed = new Set<Digest>();
    for (const { root, annotations } of this.#others) {
      try {
        const { blobs } = await contentsOf(this.#source, root, { annotations, ...this.#options });
        for (const { digest } of blobs) needed.add(digest);
      } catch (error) {
        if (isUnreadable(error)) return 'unknown';
        throw error;
      }
    }
    return needed;
  }
}

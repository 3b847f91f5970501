import type { IngestedLayer } from '../../content/layer.ts';
import type { ContentSink } from '../../content/sink.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { DrayageError, isDamage } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Document } from '../../oci/manifest.ts';
import { layerCompression } from '../../oci/media-types.ts';
import { CODECS } from '../../stream/codecs.ts';
import { once } from '../../stream/tap.ts';
import type { ArchiveContents } from './contents.ts';

/**
 * How a blob of the archive can be had under its own digest: it is `kept` so (or in memory), it can be `restored` from a
 * layer that was compressed on the way in, or it is `absent`, or not what its digest says.
 */
export type Availability = 'kept' | 'restorable' | 'absent';

/** Makes blobs of an archive available under the digests that its own documents name. */
export class BlobStore {
  readonly #contents: ArchiveContents;
  readonly #content: ContentSource & ContentSink;
  readonly #options: ContentOptions;
  readonly #stored = new Set<Digest>();

  constructor(contents: ArchiveContents, content: ContentSource & ContentSink, options: ContentOptions) {
    this.#contents = contents;
    this.#content = content;
    this.#options = options;
  }

  /** What could be done for a blob. */
  availability(descriptor: Descriptor): Availability {
    const found = this.#find(descriptor);
    if (found === undefined) return 'absent';
    if (found.kind !== 'layer' || found.layer.digest === descriptor.digest) return 'kept';
    return found.received.digest === found.layer.diffId ? 'restorable' : 'absent';
  }

  /** Stores a document. */
  async putDocument({ descriptor, bytes }: Document): Promise<void> {
    if (this.#stored.has(descriptor.digest)) return;
    await this.#content.put(bareDescriptor(descriptor), once(bytes), this.#options);
    this.#stored.add(descriptor.digest);
  }

  /**
   * Stores a blob under its own digest; one that was compressed on the way in is decompressed for that.
   * @throws {@link DrayageError} `INCOMPLETE`, and whatever the content throws
   */
  async put(descriptor: Descriptor): Promise<void> {
    if (this.#stored.has(descriptor.digest)) return;
    const found = this.#find(descriptor);
    if (found?.kind === 'held') await this.putDocument({ descriptor, bytes: found.bytes });
    else if (found?.kind === 'layer') await this.#putLayer(descriptor, found.layer);
    else if (found === undefined) {
      throw new DrayageError('INCOMPLETE', `the archive lacks blob ${descriptor.digest}`, {
        digest: descriptor.digest,
      });
    }
    this.#stored.add(descriptor.digest);
  }

  async #putLayer(descriptor: Descriptor, blob: IngestedLayer): Promise<void> {
    if (blob.digest === descriptor.digest) return;
    const bytes = await this.#content.open(blob, this.#options);
    const codec = CODECS[layerCompression(blob.mediaType) ?? 'none'];
    const plain = codec.decompress(bytes, `blob ${blob.digest}`);
    await this.#content.put(bareDescriptor(descriptor), plain, this.#options);
  }

  #find(descriptor: Descriptor): ReturnType<ArchiveContents['blob']> {
    try {
      return this.#contents.blob(descriptor);
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }
}

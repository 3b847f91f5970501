import { Readable } from 'node:stream';
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
import { verified } from '../../stream/verified.ts';
import type { ArchiveContents } from './contents.ts';
import { blobName } from '../../oci/layout.ts';
import { missing } from './contents.ts';

/**
 * How an archive has a blob: stored as it came (or in memory), or as a layer that was compressed on the way in
 * and can be restored.
 */
export type Availability = 'kept' | 'restorable' | 'absent';

/**
 * The blobs of an archive that has passed, under the digests that its own documents name, and documents that were written
 * over them. Each is read from its beginning.
 */
export class ArchiveContent implements ContentSource {
  readonly #contents: ArchiveContents;
  readonly #store: ContentSource & ContentSink;
  readonly #signal: AbortSignal | undefined;
  readonly #written = new Map<Digest, Document>();
  readonly #stored = new Set<Digest>();

  constructor(contents: ArchiveContents, store: ContentSource & ContentSink, { signal }: ContentOptions) {
    this.#contents = contents;
    this.#store = store;
    this.#signal = signal;
  }

  /** Adds a document that the archive does not hold. */
  add(document: Document): void {
    this.#written.set(document.descriptor.digest, document);
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    return this.availability(descriptor) !== 'absent';
  }

  async open(descriptor: Descriptor): Promise<Readable> {
    const written = this.#written.get(descriptor.digest);
    if (written !== undefined) return toStream(once(written.bytes));
    const found = this.#contents.blob(descriptor);
    if (found === undefined) throw absent(descriptor);
    if (found.kind === 'held') return toStream(once(found.bytes));
    const stored = found.kind === 'layer' ? found.layer : found.received;
    const bytes = await this.#store.open(stored, { signal: this.#signal });
    if (stored.digest === descriptor.digest) return bytes;
    if (stored.digest === found.received.digest) return toStream(verified(bytes, descriptor));
    const codec = CODECS[layerCompression(stored.mediaType) ?? 'none'];
    return toStream(verified(codec.decompress(bytes, `blob ${stored.digest}`), descriptor));
  }

  /** The sha256 of a blob that has arrived, whatever names it. */
  received(descriptor: Descriptor): Digest {
    return this.#find(descriptor)?.received.digest ?? descriptor.digest;
  }

  /** What could be done for a blob. */
  availability(descriptor: Descriptor): Availability {
    if (this.#written.has(descriptor.digest)) return 'kept';
    const found = this.#find(descriptor);
    if (found === undefined) return 'absent';
    if (found.kind !== 'layer' || found.layer.digest === found.received.digest) return 'kept';
    return found.received.digest === found.layer.diffId ? 'restorable' : 'absent';
  }

  /**
   * Stores a blob under its own digest. What is stored so already is not read.
   * @throws {@link DrayageError} `NOT_FOUND`, and whatever the store throws
   */
  async store(descriptor: Descriptor): Promise<void> {
    if (this.#stored.has(descriptor.digest)) return;
    const found = this.#written.has(descriptor.digest) ? undefined : this.#contents.blob(descriptor);
    const isStored =
      (found?.kind === 'stored' && found.received.digest === descriptor.digest) ||
      (found?.kind === 'layer' && found.layer.digest === descriptor.digest);
    if (!isStored)
      await this.#store.put(bareDescriptor(descriptor), await this.open(descriptor), {
        signal: this.#signal,
      });
    this.#stored.add(descriptor.digest);
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

function toStream(bytes: AsyncIterable<Uint8Array>): Readable {
  return Readable.from(bytes, { objectMode: false });
}

function absent({ digest }: Descriptor): DrayageError {
  const { message, facts } = missing(blobName(digest), digest);
  return new DrayageError('NOT_FOUND', message, facts);
}

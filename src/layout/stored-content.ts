import type { Readable } from 'node:stream';
import type { ContentOptions, ContentSource, HashBlobOptions, OpenOptions } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isDigest } from '../oci/digest.ts';
import { BLOBS_FOLDER } from '../oci/layout.ts';
import type { BlobFile } from './blob-file.ts';
import { blobNames, hasBlob, hashBlobFile, openBlob } from './blob-file.ts';
import { lookBelow, namesBelow } from '../disk/below.ts';
import { verifyBlobFile } from './verify-blob.ts';

/** The blobs of a layout. */
export class StoredContent implements ContentSource {
  /** Folder of the layout. */
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  async has(descriptor: Descriptor, { signal }: ContentOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return hasBlob(this.#file(descriptor), descriptor);
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    return openBlob(this.#file(descriptor), descriptor, options);
  }

  /** The digests of all blobs here. */
  async digests(): Promise<ReadonlySet<Digest>> {
    const found = new Set<Digest>();
    for (const algorithm of ['sha256', 'sha512'] as const) {
      for (const hex of await namesBelow(this.root, [BLOBS_FOLDER, algorithm])) {
        const digest = `${algorithm}:${hex}`;
        if (isDigest(digest)) found.add(digest);
      }
    }
    return found;
  }

  /**
   * The stored bytes of a blob; undefined if it is absent.
   * @throws {@link DrayageError} `LINK`, `IO`
   */
  async sizeOf(digest: Digest): Promise<number | undefined> {
    const stats = await lookBelow(this.root, blobNames(digest));
    return stats && Number(stats.size);
  }

  /**
   * The modification time of a blob's file; undefined if it is absent.
   * @throws {@link DrayageError} `LINK`, `IO`
   */
  async writtenAt(digest: Digest): Promise<Date | undefined> {
    const stats = await lookBelow(this.root, blobNames(digest));
    return stats && new Date(Number(stats.mtimeMs));
  }

  /** Checks a blob by hashing it; see {@link verifyBlobFile}. */
  async verify(descriptor: Descriptor, options?: ContentOptions): Promise<void> {
    await verifyBlobFile(this.#file(descriptor), descriptor, options);
  }

  /** As {@link verify}, and hashes it on a thread; see {@link hashBlobFile}. */
  async hashBlob(descriptor: Descriptor, options: HashBlobOptions): Promise<Uint8Array> {
    return hashBlobFile(this.#file(descriptor), descriptor, options);
  }

  #file({ digest }: Descriptor): BlobFile {
    return { root: this.root, names: blobNames(digest) };
  }
}

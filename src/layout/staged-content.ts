import type { LimitFunction } from 'p-limit';
import pLimit from 'p-limit';
import type { BeginOptions, BlobWriter } from '../content/sink.ts';
import type { ContentOptions } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobFile } from './blob-file.ts';
import type { Folder } from '../disk/folder.ts';
import { ignoreErrors, onDisk } from '../disk/io-error.ts';
import type { StagedBlobOwner, StagedFile } from './staged-blob.ts';
import { StagedBlob } from './staged-blob.ts';
import type { Staging } from './staging.ts';
import { spool } from './spool.ts';

/** The complete blobs of a transaction that are not published yet. Each was verified while it was written. */
export class StagedContent {
  readonly #staging: Staging;
  readonly #files = new Map<Digest, { name: string; descriptor: Descriptor; synced: Promise<void> }>();
  readonly #dropped: Promise<void>[] = [];
  readonly #writers = new Set<StagedBlob>();
  /** Syncing occupies threads that compression needs. */
  readonly #syncing: LimitFunction = pLimit(2);

  constructor(staging: Staging) {
    this.#staging = staging;
  }

  /** Begins a blob. */
  async begin(assertUsable: () => void, options?: BeginOptions): Promise<BlobWriter> {
    const owner: StagedBlobOwner = {
      assertUsable,
      keep: (blob, file) => {
        this.#writers.delete(blob);
        this.#keep(file);
      },
      dropped: (blob) => this.#writers.delete(blob),
    };
    const place = { folder: this.#staging.folder, name: this.#staging.newName('blob') };
    const writer = await StagedBlob.create(place, owner, options);
    this.#writers.add(writer);
    return writer;
  }

  /** Bytes by way of a temporary file; see {@link spool}. */
  spool(bytes: AsyncIterable<Uint8Array>, { signal }: ContentOptions = {}): AsyncIterable<Uint8Array> {
    const place = { folder: this.#staging.folder, name: this.#staging.newName('spool') };
    return spool(place, bytes, signal);
  }

  /** The staged blob of this digest. */
  get(digest: Digest): { descriptor: Descriptor; file: BlobFile } | undefined {
    const staged = this.#files.get(digest);
    if (staged === undefined) return undefined;
    return {
      descriptor: staged.descriptor,
      file: { root: this.#staging.folder, names: [staged.name] },
    };
  }

  /**
   * Waits until a staged blob is on disk.
   * @throws {@link DrayageError} `IO`
   */
  async synced(digest: Digest): Promise<void> {
    await this.#files.get(digest)?.synced;
  }

  /** Moves a blob to where it is published, and forgets it. Rejects with the system's error. */
  async move(digest: Digest, to: Folder, name: string): Promise<void> {
    const staged = this.#files.get(digest);
    if (staged === undefined) return;
    await this.#staging.folder.move(staged.name, to, name);
    this.#files.delete(digest);
  }

  /** Forgets a blob that must not be published. */
  drop(digest: Digest): void {
    const { synced } = this.#files.get(digest) ?? {};
    if (synced !== undefined) this.#dropped.push(synced);
    this.#files.delete(digest);
  }

  /** Drops the blobs that are being written and waits for those that are being committed: no file stays open. */
  async close(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.close()));
    const kept = [...this.#files.values()].map(({ synced }) => synced);
    await Promise.allSettled([...kept, ...this.#dropped]);
  }

  #keep({ name, descriptor, handle }: StagedFile): void {
    const { folder } = this.#staging;
    const path = folder.pathOf(name);
    const isFirst = !this.#files.has(descriptor.digest);
    const synced = this.#syncing(async () => {
      try {
        if (isFirst) await onDisk(path, 'sync', () => handle.sync());
        else await ignoreErrors(() => folder.remove(name));
      } finally {
        await onDisk(path, 'close', () => handle.close());
      }
    });
    // Whoever needs the blob awaits this; it may be nobody.
    synced.catch(() => {});
    if (isFirst) this.#files.set(descriptor.digest, { name, descriptor, synced });
  }
}

import { resolve as resolvePath } from 'node:path';
import type { Readable } from 'node:stream';
import type { EntriesOptions, ListOptions, ResolvedImages, StoredImage } from '../content/image-index.ts';
import type { ContentOptions, HashBlobOptions, OpenOptions } from '../content/source.ts';
import type { ImageStore, StoreTransaction } from '../content/store.ts';
import { currentBudget } from '../budget.ts';
import { DrayageError } from '../errors.ts';
import { Listing } from '../listing/listing.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { ChangedLayout } from './change.ts';
import type { LayoutIndex } from '../oci/image-index.ts';
import { EMPTY_INDEX } from '../oci/image-index.ts';
import { IndexFile } from './index-file.ts';
import type { OpenedFor } from './layout-files.ts';
import { checkLayoutFile, folderState, unsafeFolder } from './layout-files.ts';
import { StoredContent } from './stored-content.ts';
import type { SweptBlobs } from './sweep.ts';
import type { WaitOptions } from './wait.ts';

/** Options of {@link Layout.open} and {@link Layout.create}: defaults for the changes of that layout. */
export type OpenLayoutOptions = WaitOptions;

/** Options of {@link Layout.update}. Default: those of the layout. */
export type UpdateOptions = WaitOptions;

/** Options of {@link Layout.prune}. */
export interface PruneLayoutOptions extends UpdateOptions {
  /** Only reports what would be removed. Default false. */
  dryRun?: boolean | undefined;
}

/**
 * An OCI image layout on disk (OCI image-spec 1.1, image-layout.md): regular files and folders only. A link at its path
 * or anywhere in it is refused, in reading and in writing. Several processes may read and update one layout at a time.
 * @example
 * ```ts
 * import { copy, Layout } from 'drayage';
 *
 * await using images = await Layout.create(folder);
 * await copy({ from: layout, to: images });
 * for (const { names } of await images.images()) console.log(names);
 * ```
 */
export class Layout implements ImageStore, AsyncDisposable {
  /** Absolute path of the folder. */
  readonly path: string;
  readonly #stored: StoredContent;
  readonly #listing: Listing;
  readonly #indexFile: IndexFile;
  readonly #openedFor: OpenedFor;
  readonly #wait: Omit<WaitOptions, 'signal'>;

  private constructor(path: string, openedFor: OpenedFor, { lockTimeout, onProgress }: OpenLayoutOptions) {
    this.path = path;
    this.#wait = { lockTimeout, onProgress };
    this.#stored = new StoredContent(path);
    this.#indexFile = new IndexFile(path);
    this.#listing = new Listing({ content: this, index: () => this.#index(), place: path });
    this.#openedFor = openedFor;
  }

  /**
   * Opens a layout of any producer.
   * @throws {@link DrayageError} `NOT_FOUND`; `MALFORMED` if `oci-layout` is missing or of another version, or
   * index.json is missing or malformed; `LINK`, `IO`
   */
  static async open(path: string, options: OpenLayoutOptions = {}): Promise<Layout> {
    return Layout.#openExisting(path, 'open', options);
  }

  /**
   * Opens a layout that a builder wrote, as {@link Layout.open} does. Its `oci-layout` may be missing, because older builders
   * leave it out: the first update that succeeds adds it.
   * @throws {@link DrayageError} as {@link Layout.open}
   */
  static async adopt(path: string, options: OpenLayoutOptions = {}): Promise<Layout> {
    return Layout.#openExisting(path, 'adopt', options);
  }

  static async #openExisting(
    path: string,
    openedFor: OpenedFor,
    options: OpenLayoutOptions,
  ): Promise<Layout> {
    options.signal?.throwIfAborted();
    currentBudget()?.spend('layouts', 1);
    const layout = new Layout(resolvePath(path), openedFor, options);
    if ((await folderState(layout.path)) === 'nothing') {
      throw new DrayageError('NOT_FOUND', `no image layout: ${layout.path} does not exist`, {
        path: layout.path,
      });
    }
    await layout.#check();
    return layout;
  }

  /**
   * Opens a layout, or begins a new one at a path with nothing or an empty folder. A new layout comes into being with
   * the first update that succeeds.
   * @throws {@link DrayageError} `UNSAFE` for a folder that contains something else, which does not change;
   * `MALFORMED`, `LINK`, `IO`
   */
  static async create(path: string, options: OpenLayoutOptions = {}): Promise<Layout> {
    options.signal?.throwIfAborted();
    const layout = new Layout(resolvePath(path), 'create', options);
    const state = await folderState(layout.path);
    if (state === 'other' || state === 'unmarked') throw unsafeFolder(layout.path);
    if (state === 'layout') await layout.#check();
    return layout;
  }

  /** The folder. */
  get location(): string {
    return this.path;
  }

  async has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    return this.#stored.has(descriptor, options);
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    return this.#stored.open(descriptor, options);
  }

  /** The digests of all blobs in the folder. */
  async digests(): Promise<ReadonlySet<Digest>> {
    return this.#stored.digests();
  }

  /**
   * Checks a blob by hashing it. A file that this process has hashed before and that has not changed since is not read
   * again.
   * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, each naming the file; `LINK`, `IO`
   */
  async verifyBlob(descriptor: Descriptor, options?: ContentOptions): Promise<void> {
    await this.#stored.verify(descriptor, options);
  }

  /** @throws {@link DrayageError} as {@link verifyBlob} */
  async hashBlob(descriptor: Descriptor, options: HashBlobOptions): Promise<Uint8Array> {
    return this.#stored.hashBlob(descriptor, options);
  }

  /** Every descriptor in index.json, of an image or of anything else. */
  async entries(options: EntriesOptions = {}): Promise<Descriptor[]> {
    return this.#listing.entries(options);
  }

  async images(options: ListOptions = {}): Promise<StoredImage[]> {
    return this.#listing.images(options);
  }

  async resolve(reference: string, options: ListOptions = {}): Promise<ResolvedImages> {
    return this.#listing.resolve(reference, options);
  }

  async referrers(descriptor: Descriptor, options: ContentOptions = {}): Promise<Descriptor[]> {
    return this.#listing.referrers(descriptor, options);
  }

  /** The digests of all content that has referrers here. */
  async subjects(options?: ContentOptions): Promise<ReadonlySet<Digest>> {
    return this.#listing.subjects(options);
  }

  /**
   * Changes the layout entirely or not at all. Of what `work` stages, the content of the images that it added is
   * published; the rest is dropped. After a failure, the layout is as it was before.
   * @returns the result of `work`
   * @throws {@link DrayageError} `INCOMPLETE` if an added image lacks content; `LOCKED`, `IO`, `LINK`; `NOT_FOUND` for
   * a removal of something absent; errors of `work`
   */
  async update<T>(
    work: (transaction: StoreTransaction) => Promise<T>,
    options: UpdateOptions = {},
  ): Promise<T> {
    options.signal?.throwIfAborted();
    const { update } = await import('./change.ts');
    return update(this.#changed(), work, this.#waitOptions(options));
  }

  /**
   * Removes entries of index.json, and every blob that no entry leads to afterwards. Removes nothing while another
   * process is at work on the layout; a process that begins meanwhile waits.
   * @param choose returns the entries that stay
   * @throws {@link DrayageError} `LOCKED` if another process is at work; `NOT_FOUND`, `DIGEST_MISMATCH`, `MALFORMED` if
   * a document that stays is unreadable; `IO`, `LINK`; errors of `choose`
   */
  async prune(
    choose: (entries: readonly Descriptor[]) => Promise<readonly Descriptor[]>,
    options: PruneLayoutOptions = {},
  ): Promise<SweptBlobs> {
    const { dryRun = false, signal } = options;
    signal?.throwIfAborted();
    await this.#check();
    const { prune } = await import('./change.ts');
    return prune(this.#changed(), choose, { ...this.#waitOptions(options), dryRun });
  }

  /**
   * Removes those of these blobs that no image needs: nothing in index.json leads to them, except images that omit them.
   * @throws {@link DrayageError} as {@link Layout.prune}
   */
  async discard(digests: ReadonlySet<Digest>, options: UpdateOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#check();
    const { discardBlobs } = await import('./change.ts');
    await discardBlobs(this.#changed(), digests, this.#waitOptions(options));
  }

  /**
   * The stored bytes of a blob; undefined if it is absent.
   * @throws {@link DrayageError} `LINK`, `IO`
   */
  async sizeOf(digest: Digest): Promise<number | undefined> {
    return this.#stored.sizeOf(digest);
  }

  /**
   * The modification time of a blob's file; undefined if it is absent.
   * @throws {@link DrayageError} `LINK`, `IO`
   */
  async writtenAt({ digest }: Descriptor): Promise<Date | undefined> {
    return this.#stored.writtenAt(digest);
  }

  /** Nothing is held open; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #changed(): ChangedLayout {
    return { stored: this.#stored, openedFor: this.#openedFor };
  }

  #waitOptions({ signal, lockTimeout, onProgress }: UpdateOptions): WaitOptions {
    const { lockTimeout: timeout, onProgress: tell } = this.#wait;
    return { signal, lockTimeout: lockTimeout ?? timeout, onProgress: onProgress ?? tell };
  }

  async #check(): Promise<void> {
    const mayLackMark = this.#openedFor === 'adopt' && (await folderState(this.path)) === 'unmarked';
    if (!mayLackMark) await checkLayoutFile(this.path);
    await this.#index();
  }

  async #index(): Promise<LayoutIndex> {
    if (this.#openedFor === 'create' && (await folderState(this.path)) !== 'layout') return EMPTY_INDEX;
    return this.#indexFile.read();
  }
}

import type { Readable } from 'node:stream';
import type { BeginOptions, BlobWriter } from '../content/sink.ts';
import type { ContentOptions, OpenOptions } from '../content/source.ts';
import type { StoreTransaction } from '../content/store.ts';
import { writeBlob } from '../content/sink.ts';
import { DrayageError, isAbsentOrDamaged } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { hasBlob, openBlob } from './blob-file.ts';
import type { IndexChange } from '../listing/changes.ts';
import { addition, removal } from '../listing/changes.ts';
import { StagedContent } from './staged-content.ts';
import type { Staging } from './staging.ts';
import type { StoredContent } from './stored-content.ts';

/** The transaction as the layout uses it. */
export class Transaction implements StoreTransaction {
  readonly staged: StagedContent;
  readonly changes: IndexChange[] = [];
  readonly #stored: StoredContent;
  readonly #signal: AbortSignal | undefined;
  #isOver = false;

  constructor(staging: Staging, stored: StoredContent, signal: AbortSignal | undefined) {
    this.staged = new StagedContent(staging);
    this.#stored = stored;
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

  spool(bytes: AsyncIterable<Uint8Array>, options?: ContentOptions): AsyncIterable<Uint8Array> {
    this.#assertUsable(options);
    return this.staged.spool(bytes, options);
  }

  add(root: Descriptor, names: readonly string[], annotations: Record<string, string>): void {
    this.#assertUsable();
    this.changes.push(addition(root, names, annotations));
  }

  drop(digest: Digest): void {
    this.#assertUsable();
    this.staged.drop(digest);
  }

  remove(nameOrDigest: string): void {
    this.#assertUsable();
    this.changes.push(removal(nameOrDigest));
  }

  /** Ends all use of the transaction. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.staged.close();
  }

  /** Whether the content is present and its bytes were hashed, now or earlier. */
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

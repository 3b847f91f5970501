import type {
  EntriesOptions,
  ImageIndex,
  ListOptions,
  ResolvedImages,
  StoredImage,
} from '../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { LayoutEntries } from '../oci/image-index.ts';
import { entriesByContent } from './by-content.ts';
import { isCosignEntry } from './cosign-entry.ts';
import type { ListedImage } from './entries.ts';
import { bare, groupEntries } from './entries.ts';
import type { EntryKind } from './kinds.ts';
import { readKind } from './kinds.ts';
import { notFound, resolveImage } from './lookup.ts';
import { entryNames } from './names.ts';
import type { ReferrersBySubject } from './referrers.ts';
import { findReferrers } from './referrers.ts';
import { entryNotes, sortEntries } from './sort-entries.ts';
import { reportDamaged, unreadError } from './unread.ts';

/** An index.json, and where the content of its entries is. */
export interface ListingOptions {
  /** Where the content is read from. */
  content: ContentSource;
  /**
   * Reads index.json. Called for every question, so that changes by others are seen; returns the same object as long as
   * there is none.
   */
  index: (options: ContentOptions) => Promise<LayoutEntries>;
  /** Names the place in errors: a path, an address. */
  place: string;
}

/** The images of an index.json, wherever it is stored. */
export class Listing implements ImageIndex {
  readonly #options: ListingOptions;
  /** By what entries state of their content. */
  readonly #kinds = new Map<string, EntryKind>();
  #walked: { entries: readonly Descriptor[]; referrers: ReferrersBySubject } | undefined;

  constructor(options: ListingOptions) {
    this.#options = options;
  }

  async images(options: ListOptions = {}): Promise<StoredImage[]> {
    const { images, notes } = await this.#list(options);
    for (const message of notes) options.onProgress?.({ kind: 'note', message });
    return images.map(bare);
  }

  /** Every entry that can be read, of an image or of anything else. The others get a line, or an error as in `images`. */
  async entries(options: EntriesOptions = {}): Promise<Descriptor[]> {
    const index = await this.#read(options);
    for (const message of entryNotes(index)) options.onProgress?.({ kind: 'note', message });
    return index.manifests;
  }

  /** Reads documents for digests only, never for a name. */
  async resolve(reference: string, options: ListOptions = {}): Promise<ResolvedImages> {
    options.signal?.throwIfAborted();
    const { content, index, place } = this.#options;
    const { manifests, unread } = await index(options);
    const candidates = manifests.filter((entry) => !isCosignEntry(entry));
    const found = await resolveImage(content, groupEntries(candidates), reference, options);
    if (found === undefined)
      throw (
        unreadError(unread, reference, place) ??
        notFound(reference, (await this.#list({ ...options, references: true })).images, place)
      );
    const roots = new Set(found.map(({ root }) => root.digest));
    for (const entry of manifests) {
      const { note: message } = entryNames(entry);
      if (message !== undefined && roots.has(entry.digest)) options.onProgress?.({ kind: 'note', message });
    }
    return found;
  }

  async referrers(descriptor: Descriptor, options: ContentOptions = {}): Promise<Descriptor[]> {
    return [...((await this.#referrers(options)).get(descriptor.digest) ?? [])];
  }

  async subjects(options: ContentOptions = {}): Promise<ReadonlySet<Digest>> {
    return new Set((await this.#referrers(options)).keys());
  }

  async #referrers(options: ContentOptions): Promise<ReferrersBySubject> {
    const { content, index } = this.#options;
    const { manifests } = await index(options);
    // One walk answers for all content, as long as the entries do not change.
    if (this.#walked === undefined || !isSameList(this.#walked.entries, manifests))
      this.#walked = { entries: manifests, referrers: await findReferrers(content, manifests, options) };
    return this.#walked.referrers;
  }

  /** The index without the entries for which the caller gets an error. */
  async #read(options: EntriesOptions): Promise<LayoutEntries> {
    const { index, place } = this.#options;
    const { manifests, unread } = await index(options);
    const { onDamaged } = options;
    return { manifests, unread: onDamaged === undefined ? unread : reportDamaged(unread, place, onDamaged) };
  }

  async #list(options: ListOptions): Promise<{ images: ListedImage[]; notes: string[] }> {
    options.signal?.throwIfAborted();
    const index = await this.#read(options);
    const kindOf = (root: Descriptor): Promise<EntryKind> => this.#kindOf(root, options);
    const entries = options.byContent === true ? await entriesByContent(index, kindOf) : index;
    return sortEntries(entries, kindOf, options.references);
  }

  /** An unreadable root counts as an image: reading it gives the error. */
  async #kindOf(root: Descriptor, options: ContentOptions): Promise<EntryKind> {
    try {
      const { mediaType, digest, artifactType, platform } = root;
      const key = JSON.stringify([mediaType, digest, artifactType, platform]);
      const kind = this.#kinds.get(key) ?? (await readKind(this.#options.content, root, options));
      this.#kinds.set(key, kind);
      return kind;
    } catch {
      options.signal?.throwIfAborted();
      return { kind: 'image', parts: [] };
    }
  }
}

/** An index.json that did not change is one list; only a list that was read again is compared. */
function isSameList(a: readonly Descriptor[], b: readonly Descriptor[]): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

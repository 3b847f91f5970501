import type { ImageIndex, ResolvedImages, StoredImage } from '../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { ListedImage } from './entries.ts';
import { listImages } from './entries.ts';
import { resolveImage } from './lookup.ts';
import type { ReferrersBySubject } from './referrers.ts';
import { findReferrers, isReferrer } from './referrers.ts';

/** The entries of an index.json, and where their content is. */
export interface ListingOptions {
  /** Where the content is read from. */
  content: ContentSource;
  /** Reads the entries. Called for every question, so that changes by others are seen. */
  entries: (options: ContentOptions) => Promise<readonly Descriptor[]>;
  /** Names the place in errors: a path, an address. */
  place: string;
}

/** The images of an index.json, wherever it is stored. What refers to an image is not an image. */
export class Listing implements ImageIndex {
  readonly #options: ListingOptions;
  #walked: { entries: string; referrers: ReferrersBySubject } | undefined;

  constructor(options: ListingOptions) {
    this.#options = options;
  }

  async images(options: ContentOptions = {}): Promise<StoredImage[]> {
    const listed = await this.#list(options);
    return listed.map(({ root, names, annotations }) => ({ root, names, annotations }));
  }

  async resolve(reference: string, options: ContentOptions = {}): Promise<ResolvedImages> {
    const { content, place } = this.#options;
    return resolveImage({ content, place }, await this.#list(options), reference, options);
  }

  async referrers(descriptor: Descriptor, options: ContentOptions = {}): Promise<Descriptor[]> {
    const { content, entries } = this.#options;
    const listed = await entries(options);
    const key = JSON.stringify(listed);
    // One walk answers for all content, as long as the entries do not change.
    if (this.#walked?.entries !== key)
      this.#walked = { entries: key, referrers: await findReferrers(content, listed, options) };
    return [...(this.#walked.referrers.get(descriptor.digest) ?? [])];
  }

  async #list(options: ContentOptions): Promise<ListedImage[]> {
    options.signal?.throwIfAborted();
    const { content, entries } = this.#options;
    const listed: ListedImage[] = [];
    for (const image of listImages(await entries(options))) {
      const isNamed = image.names.length > 0 || image.foreign.length > 0;
      if (isNamed || !(await isReferrer(content, image.root, options))) listed.push(image);
    }
    return listed;
  }
}

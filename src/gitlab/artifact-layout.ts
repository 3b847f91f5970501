import { Readable } from 'node:stream';
import type {
  ImageIndex,
  ImagePlace,
  ListOptions,
  ResolvedImages,
  StoredImage,
} from '../content/image-index.ts';
import { placeOf } from '../content/overlay.ts';
import type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import { keepDocuments } from '../image/keep-documents.ts';
import { Listing } from '../listing/listing.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { LayoutIndex } from '../oci/image-index.ts';
import { parseLayoutIndex } from '../oci/image-index.ts';
import { sizeMismatch, verified } from '../stream/verified.ts';
import type { ArtifactFiles } from './artifact-files.ts';
import { readSmallFile } from './artifact-files.ts';
import { blobName, INDEX_FILE, LAYOUT_FILE } from '../oci/layout.ts';

/** The largest piece that a stream buffers, in bytes. */
const BUFFER = 512 * 1024;

/** Where a layout is in an artifact. */
export interface ArtifactLayoutOptions {
  files: ArtifactFiles;
  /** Its folder in the artifact, without a slash at the end; empty if the artifact itself is the layout. */
  folder: string;
}

/**
 * An OCI image layout inside a job's artifact (OCI image-spec 1.1, image-layout.md). It is read in place, blob by blob,
 * and only what is requested. Each blob is checked against its digest. The content of `oci-layout` is not read: that would be
 * another request.
 */
export class ArtifactLayout implements ContentSource, ImageIndex {
  /** Its folder in the artifact. */
  readonly folder: string;
  readonly #files: ArtifactFiles;
  /** Documents are kept, because a manifest is requested several times, and an artifact never changes. */
  readonly #content: ContentSource;
  readonly #listing: Listing;
  #index: Promise<LayoutIndex> | undefined;

  constructor({ files, folder }: ArtifactLayoutOptions) {
    this.folder = folder;
    this.#files = files;
    this.#content = keepDocuments({
      has: async (descriptor, options) => this.#has(descriptor, options),
      open: async (descriptor, options) => this.#open(descriptor, options),
    });
    this.#listing = this.#listingOver(this);
  }

  /** The same images with their content read from `content`: from this layout and from nearer places. */
  over(content: ContentSource): ImagePlace {
    return placeOf(content, this.#listingOver(content));
  }

  async has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    return this.#content.has(descriptor, options);
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    return this.#content.open(descriptor, options);
  }

  async isRemote(): Promise<boolean> {
    return this.#files.isRemote;
  }

  async images(options?: ListOptions): Promise<StoredImage[]> {
    return this.#listing.images(options);
  }

  async resolve(reference: string, options?: ListOptions): Promise<ResolvedImages> {
    return this.#listing.resolve(reference, options);
  }

  async referrers(descriptor: Descriptor, options?: ContentOptions): Promise<Descriptor[]> {
    return this.#listing.referrers(descriptor, options);
  }

  /** The digests of all content that has referrers here. */
  async subjects(options?: ContentOptions): Promise<ReadonlySet<Digest>> {
    return this.#listing.subjects(options);
  }

  #listingOver(content: ContentSource): Listing {
    const place = `${this.folder} in ${this.#files.name}`;
    return new Listing({ content, index: (options) => this.#readOnce(options), place });
  }

  #has(descriptor: Descriptor, { signal }: ContentOptions = {}): boolean {
    signal?.throwIfAborted();
    return this.#files.sizes.get(this.#pathOf(descriptor)) === descriptor.size;
  }

  #open(descriptor: Descriptor, { offset = 0, signal }: OpenOptions = {}): Readable {
    signal?.throwIfAborted();
    const path = this.#pathOf(descriptor);
    if (!this.#files.sizes.has(path)) {
      throw new DrayageError(
        'NOT_FOUND',
        `no blob ${descriptor.digest} in the artifact ${this.#files.name}`,
        {
          url: this.#files.name,
          entry: path,
          digest: descriptor.digest,
          hint: 'run the job that made the artifact again',
        },
      );
    }
    if (offset < 0 || offset > descriptor.size) {
      throw new DrayageError('USAGE', `offset ${offset} is outside of blob ${descriptor.digest}`, {
        expected: descriptor.size,
        actual: offset,
      });
    }
    // The request is sent with the first read: an unread stream costs nothing.
    const bytes = this.#read(path, descriptor, offset, signal);
    return Readable.from(bytes, { objectMode: false, highWaterMark: BUFFER });
  }

  async *#read(
    path: string,
    descriptor: Descriptor,
    offset: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const size = this.#files.sizes.get(path) ?? 0;
    const what = `blob ${descriptor.digest} in the artifact ${this.#files.name}`;
    if (size >= 0 && size !== descriptor.size) throw sizeMismatch(descriptor, size, what);
    const bytes = this.#files.read(path, { offset, signal });
    for await (const chunk of offset > 0 ? bytes : verified(bytes, descriptor, what)) {
      signal?.throwIfAborted();
      yield chunk;
    }
  }

  /** index.json. Read once, because an artifact never changes. */
  async #readOnce(options: ContentOptions): Promise<LayoutIndex> {
    this.#index ??= this.#readIndex(options);
    try {
      return await this.#index;
    } catch (error) {
      // The failure may be temporary: the next call reads again.
      if (!isDrayageError(error, 'MALFORMED', 'LIMIT')) this.#index = undefined;
      throw error;
    }
  }

  async #readIndex(options: ContentOptions): Promise<LayoutIndex> {
    const path = below(this.folder, INDEX_FILE);
    const bytes = await readSmallFile(this.#files, path, options);
    return parseLayoutIndex(bytes, `${path} in the artifact ${this.#files.name}`);
  }

  #pathOf({ digest }: Descriptor): string {
    return below(this.folder, blobName(digest));
  }
}

/** The folders of an artifact that are layouts. */
export function layoutFolders(files: ArtifactFiles): string[] {
  return [...files.sizes.keys()]
    .filter((path) => path === LAYOUT_FILE || path.endsWith(`/${LAYOUT_FILE}`))
    .map((path) => path.slice(0, -LAYOUT_FILE.length).replace(/\/$/, ''))
    .filter((folder) => isLayoutFolder(files, folder))
    .toSorted();
}

/** Whether a folder of an artifact is a layout: it contains an `oci-layout` and an index.json. */
export function isLayoutFolder({ sizes }: ArtifactFiles, folder: string): boolean {
  return [LAYOUT_FILE, INDEX_FILE].every((name) => sizes.has(below(folder, name)));
}

function below(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

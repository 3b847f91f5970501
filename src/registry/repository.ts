import type { Readable } from 'node:stream';
import pLimit from 'p-limit';
import type { ImageIndex, StoredImage } from '../content/image-index.ts';
import type { BlobWriter, ContentSink } from '../content/sink.ts';
import type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
import { writeBlob } from '../content/sink.ts';
import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isDigest } from '../oci/digest.ts';
import type { Document } from '../oci/manifest.ts';
import { familiarRepository, isReference, parseReference } from '../oci/reference.ts';
import { readDocument } from '../stream/document.ts';
import { tap } from '../stream/tap.ts';
import { verified } from '../stream/verified.ts';
import type { RegistryApi } from './api.ts';
import { BlobUpload } from './blob-upload.ts';
import { describeManifest, putManifest } from './manifests.ts';
import { isDocumentType } from '../oci/media-types.ts';
import { hasContent, openContent } from './read-content.ts';
import { listReferrers, putReferrer } from './referrers.ts';
import type { RepositoryAddress } from './repository-address.ts';
import { listTags } from './tags.ts';
import { removeTag } from './untag.ts';
import { uploadBlob } from './upload-blob.ts';

/** Options of {@link RegistryRepository.upload}. */
export interface UploadBlobOptions extends ContentOptions {
  /**
   * Another repository that may have the blob. If it is in the same registry, the registry mounts the blob from there.
   */
  mountFrom?: RegistryRepository | undefined;
  /** Called with the number of bytes of each chunk that is sent. */
  onSent?: ((bytes: number) => void) | undefined;
}

/** How many tags are resolved at a time. */
const CONCURRENCY = 8;

/**
 * A repository of a registry: a place to read images from and to write them to. Manifests are content like all other.
 * Blobs are checked here when they are read, and by the registry when it stores them.
 */
export class RegistryRepository implements ContentSource, ContentSink, ImageIndex {
  /** Its name in the short form of docker: `registry.example/group/app`. */
  readonly name: string;
  /** The registry's host, as references name it. */
  readonly host: string;
  readonly #address: RepositoryAddress;

  constructor(api: RegistryApi, path: string) {
    this.host = api.host;
    this.name = familiarRepository({ domain: api.host, path });
    this.#address = { api, path, name: this.name };
  }

  async has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    return hasContent(this.#address, descriptor, options);
  }

  async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    return openContent(this.#address, descriptor, options);
  }

  async isRemote(): Promise<boolean> {
    return true;
  }

  async put(
    descriptor: Descriptor,
    bytes: AsyncIterable<Uint8Array>,
    options: ContentOptions = {},
  ): Promise<void> {
    if (await this.has(descriptor, options)) return;
    if (isDocumentType(descriptor.mediaType)) {
      const document = { descriptor, bytes: await readDocument(bytes, descriptor) };
      await putManifest(this.#address, document, descriptor.digest, options);
      return;
    }
    await writeBlob(await this.begin(options), verified(bytes, descriptor), descriptor);
  }

  async begin(options: ContentOptions = {}): Promise<BlobWriter> {
    options.signal?.throwIfAborted();
    return new BlobUpload(this.#address, options);
  }

  /**
   * Stores a blob that can be opened again, so that an interrupted upload continues. Does not ask whether the blob is
   * there.
   * @throws {@link DrayageError} `DIGEST_MISMATCH`, `UNREACHABLE`, `TIMEOUT`; errors of `source`
   */
  async upload(
    descriptor: Descriptor,
    source: ContentSource,
    { mountFrom, onSent = () => {}, signal }: UploadBlobOptions = {},
  ): Promise<'mounted' | 'sent'> {
    const openAt = async (offset: number): Promise<AsyncIterable<Uint8Array>> =>
      tap(await source.open(descriptor, { offset, signal, trustUnchanged: true }), ({ length }) =>
        onSent(length),
      );
    return uploadBlob(this.#address, descriptor, openAt, {
      signal,
      mountFrom: mountFrom !== undefined && this.mayMount(mountFrom) ? mountFrom.#address.path : undefined,
    });
  }

  /** Whether another repository is in the same registry. */
  mayMount(other: RegistryRepository): boolean {
    return other.host === this.host && other.name !== this.name;
  }

  /** The manifest of a tag or a digest; undefined if there is none. */
  async describe(reference: string, options?: ContentOptions): Promise<Descriptor | undefined> {
    return describeManifest(this.#address, reference, options);
  }

  /**
   * Stores a manifest or an index, whose content must be there, under a tag or its digest.
   * @throws {@link DrayageError} `INCOMPLETE` if the registry lacks a part of it; `UNREACHABLE`, `TIMEOUT`
   */
  async putManifest(document: Document, reference: string, options?: ContentOptions): Promise<void> {
    await putManifest(this.#address, document, reference, options);
  }

  /**
   * Stores a manifest that refers to other content: a signature, an SBOM.
   * @param listed its descriptor with artifact type and annotations, as lists of referrers have it
   */
  async putReferrer(
    document: Document,
    subject: Digest,
    listed: Descriptor,
    options?: ContentOptions,
  ): Promise<void> {
    await putReferrer(this.#address, document, subject, listed, options);
  }

  /**
   * Removes a tag.
   * @returns whether it was there
   * @throws {@link DrayageError} `UNSUPPORTED` if the registry deletes nothing
   */
  async untag(tag: string, options?: ContentOptions): Promise<boolean> {
    return removeTag(this.#address, tag, options);
  }

  /** The tags, in the order in which the registry lists them. */
  async tags(options?: ContentOptions): Promise<string[]> {
    return listTags(this.#address, options);
  }

  readonly asksByName = true;

  async images(options: ContentOptions = {}): Promise<StoredImage[]> {
    const limit = pLimit(CONCURRENCY);
    const tags = await this.tags(options);
    const roots = await Promise.all(tags.map((tag) => limit(() => this.describe(tag, options))));
    const found = new Map<Digest, StoredImage>();
    for (const [i, root] of roots.entries()) {
      if (root === undefined) continue;
      const image = found.get(root.digest) ?? { root, names: [], annotations: {} };
      image.names.push(`${this.name}:${tags[i]}`);
      found.set(root.digest, image);
    }
    return [...found.values()];
  }

  async resolve(reference: string, options: ContentOptions = {}): Promise<[StoredImage]> {
    const own = this.#own(reference);
    const root = own === undefined ? undefined : await this.describe(own, options);
    if (own === undefined || root === undefined) {
      throw new DrayageError('NOT_FOUND', `no image ${JSON.stringify(reference)} in ${this.name}`, {
        hint: 'check its tags',
      });
    }
    return [{ root, names: isDigest(own) ? [] : [`${this.name}:${own}`], annotations: {} }];
  }

  async referrers(descriptor: Descriptor, options?: ContentOptions): Promise<Descriptor[]> {
    return listReferrers(this.#address, descriptor.digest, options);
  }

  /** The tag or digest of a reference: `latest`, `sha256:…`, or a whole reference to this repository. */
  #own(reference: string): string | undefined {
    if (isDigest(reference) || /^\w[\w.-]{0,127}$/.test(reference)) return reference;
    if (!isReference(reference)) return undefined;
    const parsed = parseReference(reference);
    if (familiarRepository(parsed) !== this.name) return undefined;
    return parsed.digest ?? parsed.tag ?? 'latest';
  }
}

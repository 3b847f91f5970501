import { DrayageError, isDamage, isUnusable } from '../../errors.ts';
import type { ImageIndex, ListOptions, ResolvedImages, StoredImage } from '../../content/image-index.ts';
import type { ContentOptions } from '../../content/source.ts';
import type { ListedImage } from '../../listing/entries.ts';
import { bare } from '../../listing/entries.ts';
import { meansDigest, notFound, resolveImage } from '../../listing/lookup.ts';
import { familiar } from '../../listing/names.ts';
import { findReferrers } from '../../listing/referrers.ts';
import { reportDamaged, unreadError } from '../../listing/unread.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { LayoutEntries } from '../../oci/image-index.ts';
import { EMPTY_INDEX, parseLayoutIndex } from '../../oci/image-index.ts';
import type { Document } from '../../oci/manifest.ts';
import { parseIfJson } from '../../oci/json.ts';
import { DOCKER_MANIFEST_FILE, INDEX_FILE } from '../../oci/layout.ts';
import { buildManifest } from '../../oci/manifest.ts';
import { OCI_CONFIG } from '../../oci/media-types.ts';
import type { DockerImage } from '../docker-manifest.ts';
import type { UnreadImage } from './docker-manifest.ts';
import { parseDockerManifest } from './docker-manifest.ts';
import { quote } from '../tar/header.ts';
import type { ArchiveContent } from './archive-content.ts';
import type { ArchiveContents } from './contents.ts';
import { ARCHIVE } from './contents.ts';
import type { ImageParts, PartsReader } from './image-parts.ts';
import { memoize } from './memoize.ts';
import { OwnDocuments } from './own-documents.ts';

/** An image of manifest.json that cannot be used. */
interface Unusable {
  names: readonly string[];
  error: DrayageError;
}

/**
 * The images of an archive that has a manifest.json, which is the truth about what it lists. The manifest or the index of an
 * image is the one in index.json, if that leads to the same blobs. Otherwise a manifest is written over the stored layers.
 * Images that only index.json lists come last.
 *
 * An image that cannot be used is an error where it is chosen, by name or with all others. So is one whose name means
 * another image in index.json, which other programs read instead.
 */
export class DockerImages implements ImageIndex {
  /** The images whose manifest was written here, by its digest. */
  readonly written: Map<Digest, ImageParts> = new Map();
  readonly #content: ArchiveContent;
  readonly #listed = new Map<Digest, ListedImage>();
  readonly #notes: string[] = [];
  readonly #unusable: Unusable[] = [];
  /** Entries that are skipped, and are an error only where they are asked for. */
  #unread: readonly UnreadImage[] = [];
  readonly #own: OwnDocuments;

  private constructor(content: ArchiveContent, own: OwnDocuments) {
    this.#content = content;
    this.#own = own;
  }

  /** @throws {@link DrayageError} `MALFORMED` also if there is no image; `LIMIT` */
  static async read(
    contents: ArchiveContents,
    content: ArchiveContent,
    parts: PartsReader,
    options: ContentOptions,
  ): Promise<DockerImages> {
    const own = await OwnDocuments.read(content, await ownEntries(contents), options);
    const images = new DockerImages(content, own);
    await images.#readAll((await contents.document(DOCKER_MANIFEST_FILE, '')).bytes, parts);
    await images.#addOthers(options);
    return images;
  }

  async images({ onProgress, onDamaged }: ListOptions = {}): Promise<StoredImage[]> {
    if (onDamaged !== undefined) reportDamaged(this.#own.unread, ARCHIVE, onDamaged);
    for (const message of this.#notes) onProgress?.({ kind: 'note', message });
    this.#assertUsable(this.#unusable);
    return [...this.#listed.values()].map(bare);
  }

  async resolve(reference: string, options?: ListOptions): Promise<ResolvedImages> {
    const name = familiar(reference);
    const isMeant = ({ names }: { names: readonly string[] }): boolean => names.includes(name);
    this.#assertUsable(this.#unusable.filter(isMeant));
    const listed = [...this.#listed.values()];
    const found = await resolveImage(this.#content, listed, reference, options);
    if (found !== undefined) return found;
    // It may be the digest of an image whose digests are unknown.
    if (meansDigest(reference)) this.#assertUsable(this.#unusable);
    const unread = this.#unread.find(isMeant);
    if (unread !== undefined) throw cannotBeRead(unread);
    throw unreadError(this.#own.unread, reference, ARCHIVE) ?? notFound(reference, listed, ARCHIVE);
  }

  #assertUsable([first]: readonly Unusable[]): void {
    if (first !== undefined) throw first.error;
  }

  async referrers({ digest }: Descriptor): Promise<Descriptor[]> {
    return [...((await this.#referrers(undefined)).get(digest) ?? [])];
  }

  readonly #referrers = memoize(async () => findReferrers(this.#content, this.#own.entries));

  async #readAll(bytes: Uint8Array, reader: PartsReader): Promise<void> {
    const onOther = (text: string): void =>
      void this.#notes.push(`${DOCKER_MANIFEST_FILE}: ${quote(text)} is skipped: it cannot be a name`);
    const { images, unread } = parseDockerManifest(bytes, onOther);
    if (images.length + unread.length === 0)
      throw new DrayageError('MALFORMED', 'the archive holds no image');
    for (const image of images) await this.#read(image, reader);
    for (const image of unread) this.#notes.push(`${titleOf(image)} is skipped: ${image.problem}`);
    this.#unread = unread;
  }

  async #read(image: DockerImage, reader: PartsReader): Promise<void> {
    const { names } = image;
    try {
      const parts = await reader.docker(image);
      const disputed = names.find((name) => this.#own.contradicts(name, parts.config.descriptor));
      if (disputed !== undefined) throw twoImages(disputed);
      for (const name of names.length === 0 ? [undefined] : names) this.#add(parts, name);
    } catch (error) {
      if (!isUnusable(error)) throw error;
      this.#unusable.push({ names, error });
    }
  }

  /** A name that manifest.json has given to another image stays there. */
  async #addOthers(options: ContentOptions): Promise<void> {
    const taken = new Set([...this.#listed.values(), ...this.#unusable].flatMap(({ names }) => names));
    const { images, notes } = await this.#own.images(options);
    this.#notes.push(...notes);
    for (const image of images) {
      if (this.#listed.has(image.root.digest)) continue;
      const names = image.names.filter((name) => !taken.has(name));
      this.#listed.set(image.root.digest, { ...image, names });
    }
  }

  #add(parts: ImageParts, name: string | undefined): void {
    const layers = parts.layers.flatMap((layer) => layer?.received ?? []);
    const own = this.#own.find(parts.config.descriptor, layers, name);
    const root = own?.root ?? this.#write(parts);
    const image = this.#listed.get(root.digest) ?? {
      root,
      names: [],
      annotations: own?.annotations ?? {},
      foreign: own?.foreign ?? [],
    };
    this.#listed.set(root.digest, image);
    if (name !== undefined && !image.names.includes(name)) image.names.push(name);
  }

  readonly #write = memoize((parts: ImageParts): Descriptor => {
    const manifest = manifestOver(parts);
    this.#content.add(parts.config);
    this.#content.add(manifest);
    this.written.set(manifest.descriptor.digest, parts);
    return manifest.descriptor;
  });
}

/**
 * index.json beside a manifest.json: an addition, so that damage to it does no harm. JSON that is refused is no damage: other
 * programs may read it, and find other images.
 */
async function ownEntries(contents: ArchiveContents): Promise<LayoutEntries> {
  const bytes = await indexBytes(contents);
  const isJson = bytes !== undefined && parseIfJson(bytes, INDEX_FILE) !== undefined;
  return isJson ? parseLayoutIndex(bytes, INDEX_FILE) : EMPTY_INDEX;
}

async function indexBytes(contents: ArchiveContents): Promise<Uint8Array | undefined> {
  if (!contents.has(INDEX_FILE)) return undefined;
  try {
    return (await contents.document(INDEX_FILE, '')).bytes;
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}

function titleOf({ names: [name] }: UnreadImage): string {
  return name ?? `an entry of ${DOCKER_MANIFEST_FILE}`;
}

/** The error for an entry of manifest.json that cannot be read, where it is asked for. */
function cannotBeRead(image: UnreadImage): DrayageError {
  const message = `${titleOf(image)} cannot be read in ${ARCHIVE}: in ${DOCKER_MANIFEST_FILE}, ${image.problem}`;
  return new DrayageError('MALFORMED', message);
}

/** The error for a name by which programs find one image or the other, as they read one file or the other. */
function twoImages(name: string): DrayageError {
  const message = `${name} is one image in ${DOCKER_MANIFEST_FILE} and another in ${INDEX_FILE}: programs would load either`;
  return new DrayageError('MALFORMED', message, { hint: 'make the archive again' });
}

/** The manifest of an image over its layers as they are stored. */
export function manifestOver({ config, layers }: ImageParts): Document {
  const descriptor = { ...bareDescriptor(config.descriptor), mediaType: OCI_CONFIG };
  return buildManifest(
    descriptor,
    layers.flatMap((layer) => layer ?? []),
  );
}

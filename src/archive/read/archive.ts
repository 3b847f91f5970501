import type { ArrivedImage } from '../../content/arrived-image.ts';
import type { ImagePlace, StoredImage } from '../../content/image-index.ts';
import type { SavedLayer } from '../../content/layer.ts';
import { layersOfAll, savedLayer } from '../../content/layer.ts';
import { placeOf } from '../../content/overlay.ts';
import type { ContentSink } from '../../content/sink.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import { annotatePart, originalIndexes } from '../../image/annotations.ts';
import type { ImageContents } from '../../image/contents.ts';
import { contentsOf } from '../../image/contents.ts';
import { isIndexDocument } from '../../image/documents.ts';
import { noImage } from '../../image/image.ts';
import type { PresentPart } from '../../image/present-part.ts';
import { isAttestedIn, presentPart } from '../../image/present-part.ts';
import { referrersOf } from '../../image/referrers.ts';
import { Listing } from '../../listing/listing.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseLayoutIndex } from '../../oci/image-index.ts';
import { checkLayoutVersion, DOCKER_MANIFEST_FILE, INDEX_FILE, LAYOUT_FILE } from '../../oci/layout.ts';
import type { Manifest, ParsedDocument } from '../../oci/manifest.ts';
import { ArchiveContent } from './archive-content.ts';
import type { ArchiveContents } from './contents.ts';
import { ARCHIVE } from './contents.ts';
import { DockerImages, manifestOver } from './docker-images.ts';
import type { ImageParts } from './image-parts.ts';
import { PartsReader } from './image-parts.ts';

/** Where the content of an archive is stored, and in which form. */
export interface ArchiveOptions extends ContentOptions {
  content: ContentSource & ContentSink;
  /** Keep the archive's manifests even over uncompressed layers, storing these as they came. Default false. */
  keepManifests?: boolean;
}

/** An archive that has passed: a place whose images can be chosen, and then stored. */
export class Archive {
  readonly place: ImagePlace;
  readonly #content: ArchiveContent;
  readonly #parts: PartsReader;
  readonly #options: ArchiveOptions;
  /** The images whose manifest was written here. */
  readonly #written: ReadonlyMap<Digest, ImageParts>;

  private constructor(
    place: ImagePlace,
    content: ArchiveContent,
    parts: PartsReader,
    options: ArchiveOptions & { written: ReadonlyMap<Digest, ImageParts> },
  ) {
    this.place = place;
    this.#content = content;
    this.#parts = parts;
    this.#options = options;
    this.#written = options.written;
  }

  /** @throws {@link DrayageError} `MALFORMED` if there is no image; `UNSUPPORTED`, `INCOMPLETE`, `DIGEST_MISMATCH`, `LIMIT` */
  static async open(contents: ArchiveContents, options: ArchiveOptions): Promise<Archive> {
    const content = new ArchiveContent(contents, options.content, options);
    const parts = new PartsReader(contents);
    if (contents.has(DOCKER_MANIFEST_FILE)) {
      const images = await DockerImages.read(contents, content, parts, options);
      return new Archive(placeOf(content, images), content, parts, { ...options, written: images.written });
    }
    if (!contents.has(INDEX_FILE)) throw noImages(contents);
    const mark = await contents.document(LAYOUT_FILE, '');
    checkLayoutVersion(mark.bytes, LAYOUT_FILE, { entry: LAYOUT_FILE });
    const index = parseLayoutIndex((await contents.document(INDEX_FILE, '')).bytes, INDEX_FILE);
    if (index.manifests.length + index.unread.length === 0)
      throw new DrayageError('MALFORMED', 'the archive holds no image');
    const listing = new Listing({ content, index: async () => index, place: ARCHIVE });
    return new Archive(placeOf(content, listing), content, parts, { ...options, written: new Map() });
  }

  /**
   * Stores an image of the archive, and what refers to it.
   *
   * Its own manifest or index is kept, byte for byte, if the layers are stored as they came, if several documents depend on
   * it, or if something refers to it; then layers are stored as they came. Otherwise a manifest is written over the stored
   * layers. Children of an index that are absent are left out.
   * @param chosen an image of the archive, and the part of it that is meant
   * @throws {@link DrayageError} `INCOMPLETE`, `MALFORMED`, `DIGEST_MISMATCH`, and what the store throws
   */
  async store({ image, root }: Chosen): Promise<ArrivedImage> {
    const written = this.#written.get(root.digest);
    if (written !== undefined) return this.#storeWritten(image, written);
    const { annotations } = image;
    const part = await presentPart(this.#content, root, { annotations, signal: this.#options.signal });
    for (const document of part.written) this.#content.add(document);
    const mayLack = (digest: Digest): boolean => lackedBy(part).has(digest);
    const checked: ImageParts[] = [];
    for (const manifest of part.contents.images) checked.push(await this.#parts.oci({ manifest, mayLack }));
    const [parts] = checked;
    if (parts === undefined) throw noImage(root, [], undefined);
    const kept = await this.#kept(part);
    if (kept === undefined) return this.#storeWritten(image, parts);
    return {
      ...describe(
        { ...image, annotations: { ...annotatePart(part.root.digest, root.digest), ...annotations } },
        parts,
      ),
      ...originalIndexes(part.root.digest, root.digest),
      root: bareDescriptor(kept),
      layers: layersOfAll(part.contents.images.map((manifest, i) => layersUnder(manifest, checked[i], part))),
      isWritten: false,
      referrers: await this.#storeKept(kept, annotations),
    };
  }

  /** Whether the manifest was written here: then all parts of its image have arrived. */
  isWritten({ digest }: Descriptor): boolean {
    return this.#written.has(digest);
  }

  /** The document that is kept: the index, the only manifest, or none. */
  async #kept(part: PresentPart): Promise<Descriptor | undefined> {
    const { root, contents } = part;
    const { root: top, images } = contents;
    const lacked = lackedBy(part);
    const isKept = (blob: Descriptor): boolean =>
      lacked.has(blob.digest) || this.#content.availability(blob) === 'kept';
    const all =
      this.#options.keepManifests === true || images.every(({ value }) => value.layers.every(isKept));
    if (isIndexDocument(top)) {
      const isAttested = images.some(({ descriptor }) => isAttestedIn(top.value, descriptor.digest));
      if (all || images.length > 1 || isAttested) return root;
    }
    const [only] = images;
    if (only === undefined) return undefined;
    const isBound = lacked.size > 0 || (await this.place.referrers(only.descriptor)).length > 0;
    return all || isBound ? only.descriptor : undefined;
  }

  /** @returns what refers to it and is whole, stored as well */
  async #storeKept(root: Descriptor, annotations: StoredImage['annotations']): Promise<Descriptor[]> {
    const { signal } = this.#options;
    const contents = await contentsOf(this.#content, root, { annotations, signal });
    await this.#storeAll(contents);
    const referrers: Descriptor[] = [];
    for (const referrer of await referrersOf(this.place, this.place, contents, { signal })) {
      const { absent, blobs } = referrer.contents;
      if (absent.length > 0 || blobs.some((blob) => this.#content.availability(blob) === 'absent')) continue;
      await this.#storeAll(referrer.contents);
      referrers.push(bareDescriptor(referrer.descriptor));
    }
    return referrers;
  }

  async #storeAll({ blobs, documents }: ImageContents): Promise<void> {
    for (const blob of [...blobs, ...documents.map(({ descriptor }) => descriptor)])
      await this.#content.store(blob);
  }

  async #storeWritten(image: StoredImage, parts: ImageParts): Promise<ArrivedImage> {
    const manifest = manifestOver(parts);
    for (const document of [parts.config, manifest]) {
      this.#content.add(document);
      await this.#content.store(document.descriptor);
    }
    const layers = parts.layers.flatMap((layer) => (layer === undefined ? [] : savedLayer(layer, layer)));
    return { ...describe(image, parts), root: manifest.descriptor, layers, isWritten: true, referrers: [] };
  }
}

/** An image of an archive, and what is meant of it: its root, or a manifest below that. */
interface Chosen {
  image: StoredImage;
  root: Descriptor;
}

type Described = Pick<ArrivedImage, 'id' | 'names' | 'foundAs' | 'annotations'>;

function describe({ names, foundAs, annotations }: StoredImage, { config }: ImageParts): Described {
  return { id: config.descriptor.digest, names, foundAs, annotations };
}

/** The layers that are absent, and may be. */
function lackedBy({ contents }: PresentPart): ReadonlySet<Digest> {
  return new Set([...contents.omitted, ...contents.nonDistributable].map(({ digest }) => digest));
}

/** The layers of an image under the blobs that its own manifest names. Those that may be absent are omitted, or not told. */
function layersUnder(
  manifest: ParsedDocument<Manifest>,
  parts: ImageParts | undefined,
  { contents }: PresentPart,
): SavedLayer[] {
  const omitted = new Set(contents.omitted.map(({ digest }) => digest));
  return manifest.value.layers.flatMap((blob, i) => {
    const layer = parts?.layers[i];
    if (layer !== undefined) return savedLayer(blob, layer);
    const diffId = parts?.value.rootfs.diff_ids[i];
    if (diffId === undefined || !omitted.has(blob.digest)) return [];
    return savedLayer(blob, { diffId, uncompressedSize: null, status: 'omitted' });
  });
}

function noImages(contents: ArchiveContents): DrayageError {
  const names = [...contents.names()];
  if (names.includes('repositories') || names.some((name) => /^[0-9a-f]{64}\/json$/.test(name))) {
    const message = 'the archive is in the form of docker before 1.10, which is not read';
    return new DrayageError('UNSUPPORTED', message, {
      hint: 'load it into a docker daemon and save it from there',
    });
  }
  const message = `no image archive: it has neither ${DOCKER_MANIFEST_FILE} nor ${INDEX_FILE}`;
  return new DrayageError('MALFORMED', message, {
    hint: 'make one with "docker save", or as an OCI layout with its files at the top',
  });
}

import { withDocuments } from '../content/overlay.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { ImageContents } from './contents.ts';
import { contentsOf } from './contents.ts';
import { isImageManifest, isIndexDocument } from './documents.ts';
import { ORIGINAL_INDEX } from './annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { bareDescriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Index } from '../oci/image-index.ts';
import type { Manifest, ParsedDocument } from '../oci/manifest.ts';
import { toDocument } from '../oci/manifest.ts';

/** The part of an image whose content is present. */
export interface PresentPart {
  /** The image's root, if all of its children are present. Otherwise an index of the present ones, or the only manifest. */
  root: Descriptor;
  /** The documents below `root` that were written for it: indexes without the absent children, the root last. */
  written: ParsedDocument<Index>[];
  /** All that `root` leads to. */
  contents: ImageContents;
}

/** Under which annotation BuildKit says which image an attestation is about. */
const ATTESTED = 'vnd.docker.reference.digest';

/**
 * Finds the part of an image that is present. Programs that copy a whole index fail at its first absent child, so such an
 * index is written again without these children. A child that lacks a blob counts as absent, and so does an attestation of
 * an absent image. If no image is whole, the root stays as it is: reading it tells what is absent.
 * @throws {@link DrayageError} as {@link contentsOf}
 */
export async function presentPart(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions & { annotations?: Readonly<Record<string, string>> } = {},
): Promise<PresentPart> {
  const contents = await contentsOf(source, root, options);
  const all: PresentPart = { root, written: [], contents };
  const { root: top } = contents;
  if (!isIndexDocument(top)) return all;
  const pruning = new Pruning(contents, await wholeManifests(source, contents, options));
  const pruned = pruning.prune(top);
  if (pruned === undefined || pruned === top) return all;
  const [only, ...others] = pruned.value.manifests;
  // The only image that is left needs no index.
  const part = bareDescriptor(only !== undefined && others.length === 0 ? only : pruned.descriptor);
  const { written } = pruning;
  return { root: part, written, contents: await contentsOf(withDocuments(source, written), part, options) };
}

/** Whether an index has a child that attests to this image. */
export function isAttestedIn(index: Index, image: Digest): boolean {
  return index.manifests.some(({ annotations }) => annotations?.[ATTESTED] === image);
}

/**
 * The first thing that is absent of what an image leads to: a document, or a blob that is neither omitted nor
 * non-distributable.
 */
export async function absentContent(
  source: ContentSource,
  contents: ImageContents,
  options: ContentOptions = {},
): Promise<Descriptor | undefined> {
  const [document] = contents.absent;
  if (document !== undefined) return document;
  for await (const { absent } of manifestsOf(source, contents, options))
    if (absent !== undefined) return absent;
  return undefined;
}

/** The manifests all of whose blobs are present, or may be absent. */
async function wholeManifests(
  source: ContentSource,
  contents: ImageContents,
  options: ContentOptions,
): Promise<Map<Digest, ParsedDocument<Manifest>>> {
  const whole = new Map<Digest, ParsedDocument<Manifest>>();
  for await (const { manifest, absent } of manifestsOf(source, contents, options))
    if (absent === undefined) whole.set(manifest.descriptor.digest, manifest);
  return whole;
}

/** The manifests, each with the first of its blobs that is absent and may not be. */
async function* manifestsOf(
  source: ContentSource,
  { documents, omitted, nonDistributable }: ImageContents,
  { signal }: ContentOptions,
): AsyncGenerator<{ manifest: ParsedDocument<Manifest>; absent: Descriptor | undefined }, void, undefined> {
  const mayLack = new Set([...omitted, ...nonDistributable].map(({ digest }) => digest));
  for (const manifest of documents) {
    if (isIndexDocument(manifest)) continue;
    const { config, layers } = manifest.value;
    let absent: Descriptor | undefined;
    for (const blob of [config, ...layers])
      if (absent === undefined && !mayLack.has(blob.digest) && !(await source.has(blob, { signal })))
        absent = blob;
    yield { manifest, absent };
  }
}

/** Writes indexes again without their absent children. */
class Pruning {
  readonly written: ParsedDocument<Index>[] = [];
  /** The manifests of images that stay. */
  readonly #kept = new Set<string>();
  readonly #indexes: ReadonlyMap<Digest, ParsedDocument<Index>>;
  readonly #whole: ReadonlyMap<Digest, ParsedDocument<Manifest>>;
  /** Also those that an index lists itself. */
  readonly #blobs: ReadonlySet<Digest>;
  readonly #pruned = new Map<Digest, ParsedDocument<Index> | undefined>();

  constructor({ documents, blobs }: ImageContents, whole: ReadonlyMap<Digest, ParsedDocument<Manifest>>) {
    this.#blobs = new Set(blobs.map(({ digest }) => digest));
    const indexes = documents.filter(isIndexDocument);
    this.#indexes = new Map(indexes.map((index) => [index.descriptor.digest, index]));
    this.#whole = whole;
  }

  /** @returns the same index if all of its children stay; undefined if no image stays */
  prune(index: ParsedDocument<Index>): ParsedDocument<Index> | undefined {
    const { digest } = index.descriptor;
    // Several indexes may name one.
    if (!this.#pruned.has(digest)) this.#pruned.set(digest, this.#prune(index));
    return this.#pruned.get(digest);
  }

  #prune(index: ParsedDocument<Index>): ParsedDocument<Index> | undefined {
    const before = index.value.manifests;
    const images = before.map((child) => this.#image(child));
    if (images.every((image) => image === undefined)) return undefined;
    const manifests = before.flatMap((child, i) => images[i] ?? this.#other(child) ?? []);
    const isSame = manifests.length === before.length && manifests.every((child, i) => child === before[i]);
    if (isSame) return index;
    const annotations = { ...index.value.annotations, [ORIGINAL_INDEX]: index.descriptor.digest };
    const value = { ...index.value, manifests, annotations };
    const document = { ...toDocument(index.descriptor.mediaType, JSON.stringify(value)), value };
    this.written.push(document);
    return document;
  }

  /** A child that is an image or an index of images, without what is absent of it. */
  #image(child: Descriptor): Descriptor | undefined {
    const inner = this.#indexes.get(child.digest);
    const pruned = inner && this.prune(inner);
    if (pruned !== undefined)
      return pruned === inner ? child : { ...child, ...bareDescriptor(pruned.descriptor) };
    const manifest = this.#whole.get(child.digest);
    if (manifest === undefined || !isImageManifest({ ...manifest, descriptor: child })) return undefined;
    this.#kept.add(child.digest);
    return child;
  }

  /** A child that is an attestation or a blob. */
  #other(child: Descriptor): Descriptor | undefined {
    const about = child.annotations?.[ATTESTED];
    const isKept = about === undefined || this.#kept.has(about);
    const isPresent = this.#whole.has(child.digest) || this.#blobs.has(child.digest);
    return isPresent && isKept ? child : undefined;
  }
}

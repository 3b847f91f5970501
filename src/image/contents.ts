import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isAbsent } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import type { ImageDocument } from './documents.ts';
import { isImageManifest, isIndexDocument, readManifestOrIndex } from './documents.ts';
import { omittedBlobs } from './omitted-layers.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Index } from '../oci/image-index.ts';
import type { Manifest, ParsedDocument } from '../oci/manifest.ts';
import { isDocumentType, isNonDistributable } from '../oci/media-types.ts';

/** The maximum depth of nested indexes. */
const MAX_DEPTH = 4;
/** The maximum number of documents below one root. */
const MAX_DOCUMENTS = 10_000;

/** Everything that a root leads to. */
export interface ImageContents {
  root: ImageDocument;
  /** Manifests and indexes that are present, each after those that it names: the root is the last one. */
  documents: ImageDocument[];
  /**
   * Those of them that are manifests of images, in the order of the index. Attestations and other artifacts are not
   * listed.
   */
  images: ParsedDocument<Manifest>[];
  /** Configs, layers and other blobs that are present or must be, each once, in the order in which they are named. */
  blobs: Descriptor[];
  /** Omitted layers: absent ones among the first layers of an image, as many as its annotation says. */
  omitted: Descriptor[];
  /** Absent non-distributable layers, with and without addresses. */
  nonDistributable: Descriptor[];
  /** Absent children of indexes: indexes may be sparse. */
  absent: Descriptor[];
}

/** Options of {@link contentsOf}. */
export interface ContentsOptions extends WalkOptions {
  /**
   * Annotations of the image's entry in its index, which state the number of omitted layers. Default: none are omitted.
   */
  annotations?: Readonly<Record<string, string>> | undefined;
  /** Omits all layers that these count, also those that are present: they are wanted from elsewhere. Default false. */
  asStated?: boolean | undefined;
}

/**
 * Lists what a root leads to, each digest once. Reads and checks documents. Looks only for those blobs that may be
 * absent: omitted and non-distributable layers. Any other absent blob is damage.
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT`, `UNSUPPORTED`; errors of `source` for damaged content
 */
export async function contentsOf(
  source: ContentSource,
  root: Descriptor,
  { annotations, asStated = false, onDamaged, signal }: ContentsOptions = {},
): Promise<ImageContents> {
  const documents: ImageDocument[] = [];
  const contents: Omit<ImageContents, 'root' | 'documents'> = {
    images: [],
    blobs: [],
    omitted: [],
    nonDistributable: [],
    absent: [],
  };
  const named: Descriptor[] = [];
  const first = new Set<Digest>();
  for await (const node of walk(source, root, { onDamaged, signal })) {
    if (node.kind === 'absent') contents.absent.push(node.descriptor);
    else if (node.kind === 'blob') named.push(node.descriptor);
    else documents.push(node.document);
    if (node.kind !== 'manifest' || !isImageManifest(node.document)) continue;
    contents.images.push(node.document);
    for (const digest of omittedBlobs(node.document.value.layers, { root, annotations })) first.add(digest);
  }
  for (const blob of named) {
    const isFirst = first.has(blob.digest);
    const mayLack = isFirst || isNonDistributable(blob.mediaType);
    const lacks = mayLack && ((isFirst && asStated) || (await isAbsent(source, blob, { signal })));
    if (lacks) contents[isFirst ? 'omitted' : 'nonDistributable'].push(blob);
    else contents.blobs.push(blob);
  }
  // A walk begins with its root, or fails.
  return { ...contents, root: documents[0]!, documents: namedFirst(documents) };
}

/** Documents, each after everything that it names. */
function namedFirst(documents: readonly ImageDocument[]): ImageDocument[] {
  const known = new Map(documents.map((document) => [document.descriptor.digest, document]));
  /** How many documents that name it are not placed yet. */
  const waitsFor = new Map<Digest, number>();
  const children = (document: ImageDocument): ImageDocument[] =>
    isIndexDocument(document)
      ? document.value.manifests.flatMap(({ digest }) => known.get(digest) ?? [])
      : [];
  for (const { descriptor } of documents.flatMap(children))
    waitsFor.set(descriptor.digest, (waitsFor.get(descriptor.digest) ?? 0) + 1);
  const placed = documents.slice(0, 1);
  for (const document of placed) {
    for (const child of children(document)) {
      const left = (waitsFor.get(child.descriptor.digest) ?? 0) - 1;
      waitsFor.set(child.descriptor.digest, left);
      if (left === 0) placed.push(child);
    }
  }
  return placed.toReversed();
}

/** A step of a {@link walk}. */
export type WalkNode =
  | { kind: 'index'; document: ParsedDocument<Index> }
  | { kind: 'manifest'; document: ParsedDocument<Manifest> }
  /** A config, a layer, or any other blob that a manifest names; a child of an index that is neither manifest nor index. */
  | { kind: 'blob'; descriptor: Descriptor }
  /** An absent child of an index: indexes may be sparse. */
  | { kind: 'absent'; descriptor: Descriptor };

/** Options of {@link walk}. */
export interface WalkOptions extends ContentOptions {
  /** Called with unreadable children, which are then skipped. Default: the first one ends the walk. */
  onDamaged?: ((error: DrayageError) => void) | undefined;
  /** What earlier walks have seen: it is skipped, and what this one sees is added. Default: nothing. */
  seen?: Set<Digest> | undefined;
}

/**
 * Walks everything that a root leads to, each digest once, parents before children. Reads and checks documents; blobs
 * are only named. An index may list blobs, as BuildKit's cache does: readers ignore children of unknown media types (OCI
 * image-spec, image-index.md). They come after the documents beside them, so that a layer counts as that of its image.
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT`, `UNSUPPORTED`; errors of `source` for damaged content
 */
export async function* walk(
  source: ContentSource,
  root: Descriptor,
  { onDamaged, seen = new Set(), signal }: WalkOptions = {},
): AsyncGenerator<WalkNode, void, undefined> {
  const before = seen.size;
  const queue: { descriptor: Descriptor; depth: number }[] = [{ descriptor: root, depth: 0 }];
  // Goes on with what is added on the way.
  for (const { descriptor, depth } of queue) {
    if (seen.has(descriptor.digest)) continue;
    seen.add(descriptor.digest);
    assertBounds(descriptor, depth, seen.size - before);
    const document = await readNext(source, descriptor, depth, { onDamaged, signal });
    if (document === 'damaged') continue;
    if (typeof document === 'string') {
      yield { kind: document, descriptor };
    } else if (isIndexDocument(document)) {
      yield { kind: 'index', document };
      const { manifests } = document.value;
      const first = manifests.filter(({ mediaType }) => isDocumentType(mediaType));
      for (const child of [...first, ...manifests]) queue.push({ descriptor: child, depth: depth + 1 });
    } else {
      yield { kind: 'manifest', document };
      for (const blob of [document.value.config, ...document.value.layers]) {
        if (seen.has(blob.digest)) continue;
        seen.add(blob.digest);
        yield { kind: 'blob', descriptor: blob };
      }
    }
  }
}

async function readNext(
  source: ContentSource,
  descriptor: Descriptor,
  depth: number,
  { onDamaged, signal }: WalkOptions,
): Promise<ImageDocument | 'absent' | 'blob' | 'damaged'> {
  try {
    if (depth > 0 && (await isAbsent(source, descriptor, { signal }))) return 'absent';
    if (depth > 0 && !isDocumentType(descriptor.mediaType)) return 'blob';
    return await readManifestOrIndex(source, descriptor, { signal });
  } catch (error) {
    if (depth === 0 || onDamaged === undefined || !isDrayageError(error)) throw error;
    onDamaged(error);
    return 'damaged';
  }
}

function assertBounds(descriptor: Descriptor, depth: number, count: number): void {
  if (depth <= MAX_DEPTH && count <= MAX_DOCUMENTS) return;
  const what =
    depth > MAX_DEPTH ? `nested deeper than ${MAX_DEPTH} indexes` : `more than ${MAX_DOCUMENTS} documents`;
  throw new DrayageError('LIMIT', `image index refused: ${what}`, { digest: descriptor.digest });
}

import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isDrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseIndex } from '../oci/image-index.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isDocumentType, isIndexType, isManifestType, OCTET_STREAM } from '../oci/media-types.ts';
import { namedContent } from '../oci/named-content.ts';
import { parseIfJson } from '../oci/json.ts';
import { MAX_DOCUMENT_SIZE, statedMediaType } from '../oci/parse.ts';
import { readDocument } from '../stream/document.ts';

/** Content whose stored sizes are known. */
interface SizedSource extends ContentSource {
  /** The stored bytes of content; undefined if it is absent. */
  sizeOf(digest: Digest): Promise<number | undefined>;
}

/** The content that a document names. */
interface Children {
  /** Further documents, or possible ones. */
  documents: readonly Descriptor[];
  /** Named only by a digest, without type and size. */
  bare?: readonly Digest[];
  /** Content that leads nowhere. */
  leaves?: readonly Digest[];
}

const NOTHING: Children = { documents: [] };

/**
 * Every digest that descriptors lead to, including their own: of images, artifacts and anything else in an index. A
 * document of an unknown media type leads to everything that it names by descriptors or by digests alone, and to what
 * these lead to. The content that an index, a manifest or such a document names may be absent; the descriptors' own
 * content may not.
 *
 * This is not `walk`, which says what an image consists of and refuses the rest. Content that is not found here is removed, so
 * this follows everything that might lead on: documents of unknown types, and a manifest that another one names as a layer.
 * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `MALFORMED`, `LIMIT`: nobody knows what
 * an unreadable document leads to
 */
export async function reachable(
  source: SizedSource,
  roots: readonly Descriptor[],
  options: ContentOptions = {},
): Promise<Set<Digest>> {
  const links: Links = new Map();
  await readLinks(source, roots, links, options);
  const found = new Set(links.keys());
  for (const digests of links.values()) for (const digest of digests) found.add(digest);
  return found;
}

/** The digests that each document names, by the document's own; none for content that leads nowhere. */
export type Links = Map<Digest, ReadonlySet<Digest>>;

/**
 * Reads what descriptors lead to, as {@link reachable} says.
 * @param links receives it; what is in it already is not read again
 * @throws {@link DrayageError} as {@link reachable}; `links` then has what was read before
 */
export async function readLinks(
  source: SizedSource,
  roots: readonly Descriptor[],
  links: Links,
  options: ContentOptions = {},
): Promise<void> {
  const queue = roots.map((descriptor) => ({ descriptor, isRoot: true }));
  // Goes on with what is added on the way.
  for (const { descriptor, isRoot } of queue) {
    if (links.has(descriptor.digest)) continue;
    const { documents, bare = [], leaves = [] } = await childrenOf(source, descriptor, isRoot, options);
    const described = documents.map(({ digest }) => digest);
    links.set(descriptor.digest, new Set([...described, ...bare, ...leaves]));
    const further = await describe(source, bare, links);
    for (const child of [...documents, ...further]) queue.push({ descriptor: child, isRoot: false });
  }
}

/** Descriptors of the present content that is named by digests alone and small enough for a document. */
async function describe(
  source: SizedSource,
  digests: readonly Digest[],
  read: ReadonlyMap<Digest, unknown>,
): Promise<Descriptor[]> {
  const described: Descriptor[] = [];
  for (const digest of digests) {
    const size = read.has(digest) ? undefined : await source.sizeOf(digest);
    if (size === undefined || size > MAX_DOCUMENT_SIZE) continue;
    described.push({ mediaType: OCTET_STREAM, digest, size });
  }
  return described;
}

async function childrenOf(
  source: ContentSource,
  descriptor: Descriptor,
  isRoot: boolean,
  options: ContentOptions,
): Promise<Children> {
  const { size } = descriptor;
  // Too large for a document. Only JSON could name anything, and then it is over the limit.
  if (size > MAX_DOCUMENT_SIZE && !isDocument(descriptor)) return NOTHING;
  try {
    const bytes = await readDocument(await source.open(descriptor, options), descriptor);
    return descriptor.mediaType === OCTET_STREAM ? guessed(bytes, descriptor) : named(bytes, descriptor);
  } catch (error) {
    if (!isRoot && isDrayageError(error, 'NOT_FOUND')) return NOTHING;
    throw error;
  }
}

function isDocument(descriptor: Descriptor): boolean {
  return leadsOn(descriptor) || /[/+]json\b/.test(descriptor.mediaType);
}

function leadsOn({ mediaType }: Descriptor): boolean {
  return isDocumentType(mediaType);
}

function named(bytes: Uint8Array, { mediaType, digest }: Descriptor): Children {
  if (isIndexType(mediaType)) return { documents: parseIndex(bytes, `index ${digest}`).manifests };
  if (!isManifestType(mediaType)) return namedAnyhow(bytes, digest);
  const { config, layers } = parseManifest(bytes, `manifest ${digest}`);
  const blobs = [config, ...layers];
  return { documents: blobs.filter(leadsOn), leaves: blobs.map((blob) => blob.digest) };
}

/** Content whose type only its own bytes may state. */
function guessed(bytes: Uint8Array, descriptor: Descriptor): Children {
  try {
    return named(bytes, { ...descriptor, mediaType: statedMediaType(bytes) ?? OCTET_STREAM });
  } catch (error) {
    // It may only contain a descriptor of such a document.
    if (isDrayageError(error, 'MALFORMED')) return namedAnyhow(bytes, descriptor.digest);
    throw error;
  }
}

/** What content of an unknown type names; nothing if it is not JSON. */
function namedAnyhow(bytes: Uint8Array, digest: Digest): Children {
  const { descriptors, digests } = namedContent(parseIfJson(bytes, digest));
  const described = new Set(descriptors.map((descriptor) => descriptor.digest));
  return { documents: descriptors, bare: [...new Set(digests)].filter((one) => !described.has(one)) };
}

import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isDrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseIndex } from '../oci/image-index.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isIndexType, isManifestType, OCTET_STREAM } from '../oci/media-types.ts';
import type { NamedContent } from '../oci/named-content.ts';
import { namedContent } from '../oci/named-content.ts';
import { MAX_DOCUMENT_SIZE, parseJson, statedMediaType } from '../oci/parse.ts';
import { readDocument } from '../stream/document.ts';

/** Content that tells its sizes. */
interface SizedSource extends ContentSource {
  /** The stored bytes of content; undefined where there is none. */
  sizeOf(digest: Digest): Promise<number | undefined>;
}

/** What a document leads to. */
interface Children {
  /** Further documents, or what may be some. */
  documents: readonly Descriptor[];
  /** Named by nothing but a digest: what it is, and how long, is not said. */
  bare?: readonly Digest[];
  /** Content that leads nowhere. */
  leaves?: readonly Digest[];
}

const NOTHING: Children = { documents: [] };

/**
 * Every digest that descriptors lead to, their own among them: of images, artifacts and whatever else stands in an index. Of a
 * document whose media type is not known, that is all it names by descriptors or by digests alone, and what these lead to in
 * turn. What an index, a manifest or such a document names may be absent; the descriptors themselves may not.
 * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `MALFORMED`, `LIMIT`: what a document that
 * cannot be read leads to is not known
 */
export async function reachable(
  source: SizedSource,
  roots: readonly Descriptor[],
  options: ContentOptions = {},
): Promise<Set<Digest>> {
  const found = new Set<Digest>();
  const read = new Set<Digest>();
  const queue = roots.map((descriptor) => ({ descriptor, isRoot: true }));
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { descriptor, isRoot } = next;
    found.add(descriptor.digest);
    if (read.has(descriptor.digest)) continue;
    read.add(descriptor.digest);
    const { documents, bare = [], leaves = [] } = await childrenOf(source, descriptor, isRoot, options);
    for (const digest of [...bare, ...leaves]) found.add(digest);
    const described = await describe(source, bare, read);
    queue.push(...[...documents, ...described].map((child) => ({ descriptor: child, isRoot: false })));
  }
  return found;
}

/** What is there of content that is named by digests alone, and small enough for a document. */
async function describe(
  source: SizedSource,
  digests: readonly Digest[],
  read: ReadonlySet<Digest>,
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
  // So large, it is content: only what calls itself JSON might name anything, and then it is over the limit.
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
  return isManifestType(mediaType) || isIndexType(mediaType);
}

function named(bytes: Uint8Array, { mediaType, digest }: Descriptor): Children {
  if (isIndexType(mediaType)) return { documents: parseIndex(bytes, `index ${digest}`).manifests };
  if (!isManifestType(mediaType)) return namedAnyhow(bytes, digest);
  const { config, layers } = parseManifest(bytes, `manifest ${digest}`);
  const blobs = [config, ...layers];
  return { documents: blobs.filter(leadsOn), leaves: blobs.map((blob) => blob.digest) };
}

/** Of content whose kind nobody said, but maybe itself. */
function guessed(bytes: Uint8Array, descriptor: Descriptor): Children {
  try {
    return named(bytes, { ...descriptor, mediaType: statedMediaType(bytes) ?? OCTET_STREAM });
  } catch (error) {
    // It may be no more than a descriptor of such a document.
    if (isDrayageError(error, 'MALFORMED')) return namedAnyhow(bytes, descriptor.digest);
    throw error;
  }
}

/** What stands in content of an unknown type: nothing where it is no JSON. */
function namedAnyhow(bytes: Uint8Array, digest: Digest): Children {
  let content: NamedContent;
  try {
    content = namedContent(parseJson(bytes, digest));
  } catch (error) {
    if (isDrayageError(error, 'MALFORMED')) return NOTHING;
    throw error;
  }
  const { descriptors, digests } = content;
  const described = new Set(descriptors.map((descriptor) => descriptor.digest));
  return { documents: descriptors, bare: [...new Set(digests)].filter((one) => !described.has(one)) };
}

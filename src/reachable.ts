import type { ContentOptions, ContentSource } from './content.ts';
import { isDrayageError } from './errors.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';
import { parseIndex } from './oci/image-index.ts';
import { parseManifest } from './oci/manifest.ts';
import { isIndexType, isManifestType } from './oci/media-types.ts';
import type { NamedContent } from './oci/named-content.ts';
import { namedContent } from './oci/named-content.ts';
import { MAX_DOCUMENT_SIZE, parseJson } from './oci/parse.ts';
import { readDocument } from './stream/document.ts';

/** What a document leads to: further documents, and content that leads nowhere. */
interface Children {
  documents: readonly Descriptor[];
  leaves: readonly Digest[];
}

const NOTHING: Children = { documents: [], leaves: [] };

/**
 * Every digest that descriptors lead to, their own among them: of images, artifacts and whatever else stands in an index. Of a
 * document whose media type is not known, that is all it names by descriptors or by digests alone. What an index or such a
 * document lists may be absent; the descriptors themselves may not.
 * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `MALFORMED`, `LIMIT`: what a document that
 * cannot be read leads to is not known
 */
export async function reachable(
  source: ContentSource,
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
    const { documents, leaves } = await childrenOf(source, descriptor, isRoot, options);
    for (const digest of leaves) found.add(digest);
    queue.push(...documents.map((child) => ({ descriptor: child, isRoot: false })));
  }
  return found;
}

async function childrenOf(
  source: ContentSource,
  descriptor: Descriptor,
  isRoot: boolean,
  options: ContentOptions,
): Promise<Children> {
  const { mediaType, digest, size } = descriptor;
  // So large, it is content: only what calls itself JSON might name anything, and then it is over the limit.
  if (size > MAX_DOCUMENT_SIZE && !isDocument(descriptor)) return NOTHING;
  try {
    const bytes = await readDocument(await source.open(descriptor, options), descriptor);
    if (isIndexType(mediaType))
      return { documents: parseIndex(bytes, `index ${digest}`).manifests, leaves: [] };
    if (!isManifestType(mediaType)) return namedIn(bytes, digest);
    const { config, layers } = parseManifest(bytes, `manifest ${digest}`);
    return { documents: [], leaves: [config, ...layers].map((blob) => blob.digest) };
  } catch (error) {
    if (!isRoot && isDrayageError(error, 'NOT_FOUND')) return NOTHING;
    throw error;
  }
}

function isDocument({ mediaType }: Descriptor): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType) || /[/+]json\b/.test(mediaType);
}

/** What stands in content of an unknown type: nothing where it is no JSON. */
function namedIn(bytes: Uint8Array, digest: Digest): Children {
  let named: NamedContent;
  try {
    named = namedContent(parseJson(bytes, digest));
  } catch (error) {
    if (isDrayageError(error, 'MALFORMED')) return NOTHING;
    throw error;
  }
  return { documents: named.descriptors, leaves: named.digests };
}

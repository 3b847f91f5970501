import type { ContentOptions, ContentSource } from './content.ts';
import { isDrayageError } from './errors.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';
import { parseIndex } from './oci/image-index.ts';
import { isIndexType, isManifestType } from './oci/media-types.ts';
import { parseManifest } from './oci/manifest.ts';
import { readDocument } from './stream/document.ts';

/**
 * Every digest that descriptors lead to, their own among them: of images, artifacts and whatever else stands in an index.
 * What an index lists may be absent; the descriptors themselves may not.
 * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `MALFORMED`: what a document that cannot be
 * read leads to is not known
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
    if (read.has(descriptor.digest) || !isDocument(descriptor)) continue;
    read.add(descriptor.digest);
    const children = await childrenOf(source, descriptor, isRoot, options);
    queue.push(...children.map((child) => ({ descriptor: child, isRoot: false })));
  }
  return found;
}

function isDocument({ mediaType }: Descriptor): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}

async function childrenOf(
  source: ContentSource,
  descriptor: Descriptor,
  isRoot: boolean,
  options: ContentOptions,
): Promise<Descriptor[]> {
  try {
    const bytes = await readDocument(await source.open(descriptor, options), descriptor);
    if (isIndexType(descriptor.mediaType)) return parseIndex(bytes, `index ${descriptor.digest}`).manifests;
    const { config, layers } = parseManifest(bytes, `manifest ${descriptor.digest}`);
    return [config, ...layers];
  } catch (error) {
    if (!isRoot && isDrayageError(error, 'NOT_FOUND')) return [];
    throw error;
  }
}

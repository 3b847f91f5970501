import type { ContentOptions, ContentSource } from '../content/source.ts';
import { holdsLayers, readIndex, readManifest } from '../image/documents.ts';
import { isAbsent } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isIndexType, isManifestType } from '../oci/media-types.ts';
import { isUnknownPlatform } from '../oci/platform.ts';

/** The maximum number of parts of an index that are checked; a larger index must itself be signed. */
const MAX_PARTS = 64;
/** The maximum number of entries in the indexes, including attestations. */
const MAX_CHILDREN = 256;

/** A part that must be signed if the index that lists it is not. */
export interface IndexPart {
  descriptor: Descriptor;
  isThere: boolean;
}

/**
 * Reads what an index lists, directly and in nested indexes: each digest once, without attestations. The author of the
 * index also wrote its descriptors, so a descriptor alone proves nothing. An entry counts as an attestation only if it
 * states no platform wherever it is listed, and holds no layer of an image.
 * @returns undefined if there is more than is checked
 * @throws {@link DrayageError} `MALFORMED`; errors of `place` for damaged content
 */
export async function partsOf(
  root: Descriptor,
  place: ContentSource,
  options: ContentOptions,
): Promise<IndexPart[] | undefined> {
  const children = await childrenOf(root, place, options);
  const parts: IndexPart[] = [];
  for (const descriptor of children ?? []) {
    const isThere = !(await isAbsent(place, descriptor, options));
    const isAttestation =
      claimsNoPlatform(descriptor) &&
      (!isThere || !holdsLayers(await readManifest(place, descriptor, options)));
    if (!isAttestation) parts.push({ descriptor, isThere });
  }
  return children === undefined || parts.length > MAX_PARTS ? undefined : parts;
}

/** The entries that are not indexes, and absent indexes; of several descriptors of one digest the strictest. */
async function childrenOf(
  root: Descriptor,
  place: ContentSource,
  options: ContentOptions,
): Promise<Iterable<Descriptor> | undefined> {
  const children = new Map<Digest, Descriptor>();
  const indexes = new Map([[root.digest, root]]);
  let count = 0;
  // The loop also visits the indexes that are found on the way.
  for (const index of indexes.values()) {
    const { manifests } = (await readIndex(place, index, options)).value;
    count += manifests.length;
    if (count > MAX_CHILDREN) return undefined;
    for (const child of manifests) {
      const isIndex = isIndexType(child.mediaType) && !(await isAbsent(place, child, options));
      const known = (isIndex ? indexes : children).get(child.digest);
      if (isIndex && known === undefined) indexes.set(child.digest, child);
      if (!isIndex && (known === undefined || claimsNoPlatform(known))) children.set(child.digest, child);
    }
  }
  return children.values();
}

function claimsNoPlatform({ mediaType, platform }: Descriptor): boolean {
  return isManifestType(mediaType) && platform !== undefined && isUnknownPlatform(platform);
}

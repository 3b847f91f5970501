import type { ContentOptions, ContentSource } from '../content/source.ts';
import { holdsLayers, readIndex, readManifest } from '../image/documents.ts';
import { isAbsent } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isIndexType, isManifestType } from '../oci/media-types.ts';
import { isUnknownPlatform } from '../oci/platform.ts';

/** How many parts of an index are looked at; one of more has to be signed itself. */
const MAX_PARTS = 64;
/** How many children the indexes may list, attestations among them. */
const MAX_CHILDREN = 256;

/** What has to be signed where the index that lists it is not. */
export interface IndexPart {
  descriptor: Descriptor;
  isThere: boolean;
}

/**
 * Reads what an index lists, itself and by way of indexes in it: each digest once, without attestations. Whoever wrote the index
 * wrote its descriptors, too, so that one of them alone proves nothing: only what is for no platform wherever it is listed, and
 * holds no layer of an image, is passed over.
 * @returns undefined where there is more than is looked at
 * @throws {@link DrayageError} `MALFORMED`, and whatever `place` says of damaged content
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

/** The children that are no indexes, and indexes that are not there; of several descriptors of one the most demanding. */
async function childrenOf(
  root: Descriptor,
  place: ContentSource,
  options: ContentOptions,
): Promise<Iterable<Descriptor> | undefined> {
  const children = new Map<Digest, Descriptor>();
  const indexes = new Map([[root.digest, root]]);
  let count = 0;
  // Goes on with the indexes that are found on the way.
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

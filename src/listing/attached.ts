import type { ImageIndex } from '../content/image-index.ts';
import type { ContentOptions } from '../content/source.ts';
import type { Image } from '../image/image.ts';
import type { ImageContents } from '../image/contents.ts';
import { isIndexDocument } from '../image/documents.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** A document attached to an image: a signature, an SBOM, an attestation of its build. */
export interface Attached {
  digest: Digest;
  /** Artifact type or media type; null if it states none. */
  type: string | null;
  /** The type of its predicate, for an attestation that states it. */
  predicateType: string | null;
  /** Bytes of its manifest. */
  size: number;
}

/** The annotation in an index by which BuildKit says which image a manifest attests to. */
const BUILDKIT_SUBJECT = 'vnd.docker.reference.digest';
const BUILDKIT_TYPE = 'vnd.docker.reference.type';
const PREDICATE_TYPES = ['dev.sigstore.bundle.predicateType', 'in-toto.io/predicate-type', 'predicateType'];

/**
 * Lists what is attached to an image: the referrers of its root and of its manifest, and BuildKit's attestations in an
 * index that lists it.
 */
export async function attachedTo(
  index: ImageIndex,
  { root, documents }: Pick<ImageContents, 'root' | 'documents'>,
  { manifest }: Pick<Image, 'manifest'>,
  options: ContentOptions = {},
): Promise<Attached[]> {
  const found = new Map<Digest, Descriptor>();
  const subjects = [root, manifest].map(({ descriptor }) => [descriptor.digest, descriptor] as const);
  for (const subject of new Map(subjects).values()) {
    for (const referrer of await index.referrers(subject, options)) found.set(referrer.digest, referrer);
  }
  for (const document of documents.toReversed()) {
    if (!isIndexDocument(document)) continue;
    for (const child of document.value.manifests) {
      if (child.annotations?.[BUILDKIT_SUBJECT] === manifest.descriptor.digest)
        found.set(child.digest, child);
    }
  }
  return [...found.values()].map(describe);
}

function describe({ digest, size, artifactType, annotations = {} }: Descriptor): Attached {
  const stated = PREDICATE_TYPES.map((key) => annotations[key]).find((text) => text !== undefined);
  const type = artifactType ?? annotations[BUILDKIT_TYPE] ?? null;
  return { digest, type, predicateType: stated ?? null, size };
}

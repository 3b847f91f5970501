import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isImageManifest, readIndex, readManifest } from '../image/documents.ts';
import { isReferenceManifest } from '../image/reference.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Manifest } from '../oci/manifest.ts';
import { isConfigType, isDocumentType, isIndexType, isManifestType } from '../oci/media-types.ts';

/** The kind of an entry of index.json, read from its document. */
export type EntryKind =
  /** `parts`: the digests that an index lists; empty for a manifest. */
  | { kind: 'image'; parts: readonly Digest[] }
  /** An image that stays in a daemon. */
  | { kind: 'reference' }
  /** A signature or an SBOM: it is copied with its subject, if that is known. */
  | { kind: 'referrer'; subject: Digest | undefined }
  /** A Helm chart, a file of ORAS, an attestation; `type` is its artifact type or media type. */
  | { kind: 'artifact'; type: string };

/**
 * Reads the kind of a root.
 * @throws {@link DrayageError} `MALFORMED`; errors of `source` for damaged content
 */
export async function readKind(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions,
): Promise<EntryKind> {
  if (isIndexType(root.mediaType)) {
    const { value } = await readIndex(source, root, options);
    const { subject, manifests, artifactType = onlyBlobs(manifests) } = value;
    return kindOf(subject, artifactType, { kind: 'image', parts: manifests.map(({ digest }) => digest) });
  }
  if (!isManifestType(root.mediaType)) return { kind: 'artifact', type: root.mediaType };
  const document = await readManifest(source, root, options);
  if (isReferenceManifest(document.value)) return { kind: 'reference' };
  const { subject, artifactType = contentType(document.value) } = document.value;
  const type = isImageManifest(document) ? root.artifactType : artifactType;
  return kindOf(subject, type, { kind: 'image', parts: [] });
}

/** The media type of the config; if that is an image's, the media type of the first blob. */
function contentType({ config, layers: [first] }: Manifest): string {
  return isConfigType(config.mediaType) ? (first ?? config).mediaType : config.mediaType;
}

/** The media type that tells what an index of blobs is: BuildKit's cache lists layers, and its config last. */
function onlyBlobs(children: readonly Descriptor[]): string | undefined {
  const types = children.map(({ mediaType }) => mediaType);
  return types.some(isDocumentType) ? undefined : types.at(-1);
}

function kindOf(subject: Descriptor | undefined, type: string | undefined, image: EntryKind): EntryKind {
  if (subject !== undefined) return { kind: 'referrer', subject: subject.digest };
  return type === undefined ? image : { kind: 'artifact', type };
}

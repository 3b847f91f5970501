import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import type { Document } from '../oci/manifest.ts';
import { buildArtifact, EMPTY_CONFIG } from '../oci/manifest.ts';
import { BUNDLE_TYPE, PROVENANCE_V1 } from './media-types.ts';

/** The annotation by which cosign finds the image in a layout (`--local-image`). */
export const COSIGN_IMAGE: Readonly<Record<string, string>> = { kind: 'dev.cosignproject.cosign/image' };

/** A signature as a layout or a registry stores it. */
export interface StoredSignature {
  /** The descriptor of the manifest as an index lists it, with artifact type and annotations. */
  root: Descriptor;
  /** All documents to store, each after those that it names. */
  documents: Document[];
}

/**
 * Makes a bundle a referrer of an image (OCI image-spec 1.1, manifest.md#image-manifest-property-descriptions
 * `subject`), in the form that cosign writes and reads.
 */
export function bundleReferrer(subject: Descriptor, bundle: Uint8Array, createdAt: Date): StoredSignature {
  const layer = describe(bundle, BUNDLE_TYPE);
  const annotations = {
    'dev.sigstore.bundle.content': 'dsse-envelope',
    'dev.sigstore.bundle.predicateType': PROVENANCE_V1,
    'org.opencontainers.image.created': createdAt.toISOString().replace(/\.\d+Z$/, 'Z'),
  };
  const manifest = buildArtifact({
    artifactType: BUNDLE_TYPE,
    layers: [layer.descriptor],
    subject,
    annotations,
  });
  const root = { ...manifest.descriptor, artifactType: BUNDLE_TYPE, annotations };
  return { root, documents: [EMPTY_CONFIG, layer, manifest] };
}

function describe(bytes: Uint8Array, mediaType: string): Document {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

/**
 * The data model of OCI images: documents, descriptors, digests, names and platforms. Nothing here does I/O.
 * @module drayage/oci
 */
import '../disposal.ts';
export type { ErrorCode, ErrorFacts } from '../errors.ts';
export { DrayageError, isDrayageError } from '../errors.ts';
export {
  BASE_DIGEST,
  BASE_NAME,
  CREATED,
  IMAGE_NAME,
  REF_NAME,
  REVISION,
  SOURCE,
} from '../oci/annotations.ts';
export type { ExecutionConfig, Healthcheck, HistoryEntry, ImageConfig } from '../oci/config.ts';
export { configPlatform, parseConfig } from '../oci/config.ts';
export {
  buildArtifact,
  buildConfig,
  buildManifest,
  EMPTY_CONFIG,
  pairLayers,
  parseManifest,
} from '../oci/manifest.ts';
export type { Descriptor } from '../oci/descriptor.ts';
export type { Digest, DigestAlgorithm, Digester } from '../oci/digest.ts';
export { createDigester, digestOf, isDigest, parseDigest, shortDigest } from '../oci/digest.ts';
export type { Index } from '../oci/image-index.ts';
export { parseIndex } from '../oci/image-index.ts';
export type { ArtifactManifest, Document, Manifest, ManifestOptions } from '../oci/manifest.ts';
export type { Compression } from '../oci/media-types.ts';
export {
  DOCKER_CONFIG,
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  isIndexType,
  isManifestType,
  layerCompression,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  ociLayerType,
} from '../oci/media-types.ts';
export type { Platform } from '../oci/platform.ts';
export { formatPlatform, matchesPlatform, parsePlatform } from '../oci/platform.ts';
export type { Reference } from '../oci/reference.ts';
export {
  familiarReference,
  familiarRepository,
  isReference,
  normalizedReference,
  normalizeName,
  parseReference,
  withDefaultTag,
} from '../oci/reference.ts';

export type { ErrorCode, ErrorFacts } from '../errors.ts';
export { DrayageError, isDrayageError } from '../errors.ts';
export type { HistoryEntry, ImageConfig } from '../oci/config.ts';
export { configPlatform, parseConfig } from '../oci/config.ts';
export type { Descriptor } from '../oci/descriptor.ts';
export type { Digest, DigestAlgorithm, Digester } from '../oci/digest.ts';
export { createDigester, digestOf, isDigest, parseDigest, shortDigest } from '../oci/digest.ts';
export type { Index } from '../oci/image-index.ts';
export { parseIndex } from '../oci/image-index.ts';
export type { Document, Manifest } from '../oci/manifest.ts';
export { buildManifest, pairLayers, parseManifest } from '../oci/manifest.ts';
export type { Compression } from '../oci/media-types.ts';
export { isIndexType, isManifestType, layerCompression, ociLayerType } from '../oci/media-types.ts';
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

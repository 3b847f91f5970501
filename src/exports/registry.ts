/**
 * Registries: images in and out through the OCI distribution-spec.
 * @module drayage/registry
 */
import '../disposal.ts';
export type { ImageIndex, StoredImage } from '../content/image-index.ts';
export type { BeginOptions, BlobWriter, ContentSink, FileDigester } from '../content/sink.ts';
export type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
export type { HttpDispatcher } from '../http/http.ts';
export type { RetryOptions } from '../http/retry.ts';
export type { Descriptor } from '../oci/descriptor.ts';
export type { Digest, DigestAlgorithm } from '../oci/digest.ts';
export type { Document } from '../oci/manifest.ts';
export type { Platform } from '../oci/platform.ts';
export type { RegistryOptions } from '../registry/api.ts';
export type { HelperOptions } from '../registry/credential-helper.ts';
export type { Credential, Credentials } from '../registry/credentials.ts';
export { chainCredentials, knownCredentials } from '../registry/credentials.ts';
export type { DockerConfigOptions } from '../registry/docker-config.ts';
export { dockerConfigCredentials } from '../registry/docker-config.ts';
export type { TaggedRepository } from '../registry/registries.ts';
export { Registries } from '../registry/registries.ts';
export { Registry } from '../registry/registry.ts';
export type { UploadBlobOptions } from '../registry/repository.ts';
export type { RegistryRepository } from '../registry/repository.ts';
export type { ErrorCode, ErrorFacts } from '../errors.ts';
export { DrayageError, isDrayageError } from '../errors.ts';

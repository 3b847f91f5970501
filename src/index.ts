export type {
  Authenticate,
  BeginOptions,
  BlobWriter,
  ContentOptions,
  ContentSink,
  ContentSource,
  FileDigester,
  ImageIndex,
  ImagePolicy,
  IngestedLayer,
  OpenOptions,
  StoredImage,
} from './content.ts';
export type { OnAuthentic } from './attest/authenticate.ts';
export { signaturePolicy } from './attest/authenticate.ts';
export type { ExpectedProvenance, ExpectedSigner } from './attest/expect.ts';
export type { IdentityToken } from './attest/identity-token.ts';
export { readIdentityToken } from './attest/identity-token.ts';
export { loadPrivateKey } from './attest/private-key.ts';
export type { Provenance } from './attest/provenance.ts';
export type { RefusalReason } from './attest/refusal.ts';
export type { EvidenceOptions, KeylessOptions, KeySignerOptions, SignStatement } from './attest/signer.ts';
export { keylessSigner, keySigner } from './attest/signer.ts';
export type { Signer, Trust, TrustOptions, VerifiedEnvelope } from './attest/trust.ts';
export { loadTrust } from './attest/trust.ts';
export { verifyBundle } from './attest/verify-bundle.ts';
export type { CertificateFacts } from './attest/certificate.ts';
export type { BundleShape } from './attest/shape.ts';
export type {
  EndpointImage,
  ImageEndpoint,
  ImageTags,
  ImageUse,
  InspectImageOptions,
  LoadOptions,
  LoadResult,
  NamedImage,
  SaveArchiveOptions,
} from './endpoint.ts';
export type { ConfigDifference, DiffLayer, DiffOptions, DiffResult, DiffSide } from './diff.ts';
export { diff } from './diff.ts';
export type { DaemonAddress, ResolveDockerHostOptions } from './docker/address.ts';
export { resolveDockerHost } from './docker/address.ts';
export type { DockerDaemon, DockerOptions } from './docker/daemon.ts';
export { connectDocker } from './docker/daemon.ts';
export type { ReachOptions } from './docker/reach.ts';
export type { DockerTls } from './docker/tls.ts';
export type { ErrorCode, ErrorFacts } from './errors.ts';
export { DrayageError, isDrayageError } from './errors.ts';
export type { ExportOptions } from './export.ts';
export { exportArchive } from './export.ts';
export type { FetchedImage, FetchOptions, FetchResult } from './fetch.ts';
export { fetch } from './fetch.ts';
export type { GitLabOptions } from './gitlab/api.ts';
export type { JobArtifact, OpenArtifactOptions } from './gitlab/artifact.ts';
export type { ArtifactLayout } from './gitlab/artifact-layout.ts';
export type { GitLabJob } from './gitlab/env.ts';
export { gitlabAnnotations, readGitLabJob } from './gitlab/env.ts';
export { GitLab } from './gitlab/gitlab.ts';
export type { HttpDispatcher } from './http/http.ts';
export type { FoundJob, JobQuery } from './gitlab/jobs.ts';
export type { RetryOptions } from './http/retry.ts';
export type { ReportedLink } from './gitlab/annotations-report.ts';
export { formatAnnotationsReport, formatRegistryReport } from './gitlab/annotations-report.ts';
export { ciRegistryCredentials } from './gitlab/ci-registries.ts';
export { knownSizeLimit } from './gitlab/size-limit.ts';
export type { Dotenv } from './gitlab/dotenv.ts';
export { formatDotenvReport, formatVariables } from './gitlab/dotenv.ts';
export type { ExpectationKey, Expectations } from './gitlab/expectations.ts';
export { expectationsOf } from './gitlab/expectations.ts';
export type { GitLabBuild } from './gitlab/build.ts';
export { jobIdentity, readGitLabBuild } from './gitlab/build.ts';
export { originPolicy } from './gitlab/origin-policy.ts';
export { ownImages } from './gitlab/own-images.ts';
export type { ImageVariables, ShippedImage, Variable } from './gitlab/variables.ts';
export { imageVariables } from './gitlab/variables.ts';
export type { PlannedImage, PromotedImage, PromoteOptions, PromoteResult, Promotion } from './promote.ts';
export type { PromotedTag } from './push/tags.ts';
export { promote } from './promote.ts';
export type { RegistryOptions } from './registry/api.ts';
export type { HelperOptions } from './registry/credential-helper.ts';
export type { Credential, Credentials } from './registry/credentials.ts';
export { chainCredentials, knownCredentials } from './registry/credentials.ts';
export type { DockerConfigOptions } from './registry/docker-config.ts';
export { dockerConfigCredentials } from './registry/docker-config.ts';
export type { TaggedRepository } from './registry/registries.ts';
export { Registries } from './registry/registries.ts';
export type { Registry } from './registry/registry.ts';
export type { RegistryRepository, UploadBlobOptions } from './registry/repository.ts';
export type { CodecName } from './ingest/codec.ts';
export type { Attached } from './listing/attached.ts';
export type { InspectedImage, InspectedLayer, InspectOptions, InspectResult } from './inspect.ts';
export { inspect } from './inspect.ts';
export type { Layer } from './layer.ts';
export type { BlobCacheOptions } from './layout/blob-cache.ts';
export { BlobCache } from './layout/blob-cache.ts';
export type { PruneLayoutOptions, UpdateOptions } from './layout/layout.ts';
export { Layout } from './layout/layout.ts';
export type { SweptBlobs } from './layout/sweep.ts';
export type { HeldBlob, HeldImage } from './layout/holdings.ts';
export type { VerifiableSource } from './layout/local-first.ts';
export { localFirst } from './layout/local-first.ts';
export type { LayoutTransaction } from './layout/transaction.ts';
export type { LoadedImage, LoadVerbOptions, LoadVerbResult } from './load.ts';
export { load } from './load.ts';
export type { Leaseholder } from './lease.ts';
export type { MergedImage, MergeOptions, MergeResult } from './merge.ts';
export { merge } from './merge.ts';
export type { Compression } from './oci/media-types.ts';
export type { Descriptor } from './oci/descriptor.ts';
export type { Digest, DigestAlgorithm } from './oci/digest.ts';
export type { Document } from './oci/manifest.ts';
export { isDigest } from './oci/digest.ts';
export type { Platform } from './oci/platform.ts';
export { parsePlatform } from './oci/platform.ts';
export type { LayerStatus, OnProgress, ProgressEvent } from './progress.ts';
export type { PruneOptions, PruneResult } from './prune.ts';
export { prune } from './prune.ts';
export { renameImage } from './rename.ts';
export type { SavedLayer, SaveSource } from './arrive/arrival.ts';
export type { SavedImage, SaveOptions, SaveResult } from './save.ts';
export { save } from './save.ts';
export type { SignedImage, SignOptions, SignResult } from './sign.ts';
export { sign } from './sign.ts';
export type { SizeLimits } from './size-check.ts';
export type { ImagePlace, SelectOptions } from './selection.ts';
export { joinPlaces } from './selection.ts';
export type { UntaggedReference, UntagOptions, UntagResult } from './untag.ts';
export { untag } from './untag.ts';
export { parseReference } from './oci/reference.ts';
export type { Reference } from './oci/reference.ts';
export type { BaseSearch, PulledImage } from './thin/base-finder.ts';
export type { BaseRepository, OpenRepository } from './thin/base-image.ts';
export type { OmissionOptions, ThinOptions } from './thin/omission.ts';
export { pulledImages } from './thin/pulled-images.ts';
export type { BaseLayout } from './thin/layout-base.ts';
export type { BaseReference, OpenBase } from './thin/whole-content.ts';
export type { KeptName, UnloadOptions, UnloadResult } from './unload.ts';
export { unload } from './unload.ts';
export type { VerifyOptions, VerifyResult } from './verify.ts';
export { verify } from './verify.ts';

/**
 * The verbs of image transport, and the places that they connect: layouts, daemons, archives, artifacts, registries.
 * @module drayage
 */
import './disposal.ts';
export type { OnAuthentic } from './attest/authenticate.ts';
export { signaturePolicy } from './attest/authenticate.ts';
export type { CertificateFacts } from './attest/certificate.ts';
export type { ExpectedProvenance, ExpectedSigner } from './attest/expect.ts';
export type { IdentityToken } from './attest/identity-token.ts';
export { readIdentityToken } from './attest/identity-token.ts';
export { loadPrivateKey } from './attest/private-key.ts';
export type { Provenance } from './attest/provenance.ts';
export type { BundleShape } from './attest/shape.ts';
export type { EvidenceOptions, KeylessOptions, KeySignerOptions, SignStatement } from './attest/signer.ts';
export { keylessSigner, keySigner } from './attest/signer.ts';
export { githubStatement, gitlabStatement } from './attest/job-statements.ts';
export type { AttestedImage, MakeStatement, StatementOptions } from './attest/statement.ts';
export { provenanceOfBuild } from './attest/statement.ts';
export type { Signer, Trust, TrustOptions, VerifiedEnvelope } from './attest/trust.ts';
export { loadTrust } from './attest/trust.ts';
export { verifyBundle } from './attest/verify-bundle.ts';
export type { AddressedJob, Build, BuildType } from './ci/build.ts';
export type { Ci, ReportedLink } from './ci/ci.ts';
export type { Dotenv, DotenvLimits } from './ci/dotenv.ts';
export { formatDotenvReport, formatVariables } from './ci/dotenv.ts';
export type { Accepted, ExpectationKey, Expectations } from './ci/expectations.ts';
export { expectationsOf, originKeys, signatureKeys } from './ci/expectations.ts';
export { originPolicy } from './ci/origin-policy.ts';
export type { Env, Origin } from './ci/origin.ts';
export { originAnnotations, originOf } from './ci/origin.ts';
export type { SealedJob } from './ci/seal.ts';
export { sealOf } from './ci/seal.ts';
export { ownImages } from './ci/own-images.ts';
export type { ImageVariables, ShippedImage, Variable } from './ci/variables.ts';
export { imageVariables, isImageVariable } from './ci/variables.ts';
export { cis } from './cis.ts';
export type {
  DaemonIdentity,
  EndpointImage,
  ImageEndpoint,
  ImageTags,
  ImageUse,
  InspectImageOptions,
  LastingEndpoint,
  EndpointLoadOptions,
  EndpointLoadResult,
  NamedImage,
  ReferOptions,
  ReferredImage,
  SaveArchiveOptions,
} from './content/endpoint.ts';
export type {
  EntriesOptions,
  ImageIndex,
  ImagePlace,
  ListOptions,
  ResolvedImages,
  StoredImage,
} from './content/image-index.ts';
export type { SavedLayer } from './content/layer.ts';
export { overlay } from './content/overlay.ts';
export type { Authenticate, ImagePolicy, SignedFacts, Voucher } from './content/policy.ts';
export type { BeginOptions, BlobWriter, ContentSink, FileDigester } from './content/sink.ts';
export type {
  ContentOptions,
  ContentSource,
  HashBlobOptions,
  OpenOptions,
  VerifiableSource,
} from './content/source.ts';
export type { ImageStore, StoreTransaction } from './content/store.ts';
export type {
  AddressReason,
  DaemonAddress,
  FoundDockerHost,
  ResolveDockerHostOptions,
} from './docker/connect/address.ts';
export { findDockerHost, resolveDockerHost } from './docker/connect/address.ts';
export type { ReachOptions } from './docker/connect/reach.ts';
export type { DockerTls } from './docker/connect/tls.ts';
export type { DockerDaemon, DockerOptions } from './docker/daemon.ts';
export { connectDocker } from './docker/daemon.ts';
export type { ErrorCode, ErrorFacts, ErrorReason, RefusalReason } from './errors.ts';
export type { BudgetLimits, Countable } from './budget.ts';
export { Budget, withBudget } from './budget.ts';
export { DrayageError, isDamage, isDrayageError } from './errors.ts';
export type { GitLabOptions } from './gitlab/api.ts';
export type { ArtifactLayout } from './gitlab/artifact-layout.ts';
export type { JobArtifact, OpenArtifactOptions } from './gitlab/artifact.ts';
export type { ArtifactLimit } from './gitlab/artifact-limit.ts';
export { GitLab } from './gitlab/gitlab.ts';
export type { FindJobOptions, FoundJob, JobQuery, ListedJob, ListedJobs } from './gitlab/jobs.ts';
export type { LocatedArtifact } from './gitlab/locate-artifact.ts';
export type { HeapOptions } from './heap.ts';
export { keepHeapSmall } from './heap.ts';
export { isLoopback } from './http/address.ts';
export { judgedLookup } from './http/nearness.ts';
export type { HttpDispatcher } from './http/http.ts';
export type { RetryOptions } from './http/retry.ts';
export type { BaseRepository, OpenRepository } from './image/base-image.ts';
export type { Layer } from './image/layer.ts';
export type { ImageReference } from './image/reference.ts';
export { daemonTitle } from './image/reference.ts';
export type { JobLayout } from './image/base-job.ts';
export type { JobPlace } from './image/base-jobs.ts';
export type { OmittedPart } from './image/omitted-layers.ts';
export type { BaseReference, OpenBase, OpenJob } from './image/open-base.ts';
export type { SizeLimits } from './image/size-check.ts';
export type { CodecName } from './ingest/codec.ts';
export { chosenCompression } from './ingest/codec.ts';
export type { BlobCacheOptions } from './layout/blob-cache.ts';
export { BlobCache } from './layout/blob-cache.ts';
export type { OpenLayoutOptions, PruneLayoutOptions, UpdateOptions } from './layout/layout.ts';
export type { WaitOptions } from './layout/wait.ts';
export { Layout } from './layout/layout.ts';
export { localFirst } from './layout/local-first.ts';
export type { SweptBlobs } from './layout/sweep.ts';
export type { Attached } from './listing/attached.ts';
export type { ImageIdentity, OnPlanned, PlannedIdentity } from './listing/unique-reference.ts';
export { MemoryContent } from './memory/memory-content.ts';
export { MemoryStore } from './memory/memory-store.ts';
export type { Objects, StoredIndex } from './memory/object-store.ts';
export { ObjectStore } from './memory/object-store.ts';
export type { Descriptor } from './oci/descriptor.ts';
export type { Digest, DigestAlgorithm } from './oci/digest.ts';
export { isDigest } from './oci/digest.ts';
export { parseJson } from './oci/json.ts';
export type { JsonOptions } from './oci/json.ts';
export type { Document } from './oci/manifest.ts';
export type { Compression } from './oci/media-types.ts';
export { COMPRESSIONS } from './oci/media-types.ts';
export type { Platform } from './oci/platform.ts';
export { parsePlatform } from './oci/platform.ts';
export type { Reference } from './oci/reference.ts';
export { parseReference } from './oci/reference.ts';
export type { LayerStatus, OnProgress, ProgressBytes, ProgressEvent, ProgressPhase } from './progress.ts';
export type { RegistryOptions } from './registry/api.ts';
export type { HelperOptions } from './registry/credential-helper.ts';
export type { Credential, Credentials } from './registry/credentials.ts';
export { chainCredentials, knownCredentials } from './registry/credentials.ts';
export type { DockerConfigHosts, DockerConfigOptions } from './registry/docker-config.ts';
export { dockerConfigCredentials, dockerConfigHosts } from './registry/docker-config.ts';
export type { TaggedRepository } from './registry/registries.ts';
export { Registries } from './registry/registries.ts';
export type { Registry } from './registry/registry.ts';
export type { RegistryRepository, UploadBlobOptions } from './registry/repository.ts';
export { joinPlaces } from './select/places.ts';
export type { Selection } from './select/selection.ts';
export type { FillableBytes } from './stream/fillable.ts';
export type { CopiedImage, CopyResult, CopyTarget, CopyOptions, RegistryTarget } from './verbs/copy.ts';
export { copy } from './verbs/copy.ts';
export type { ConfigDifference, DiffLayer, DiffOptions, DiffResult, DiffSide } from './verbs/diff.ts';
export { diff } from './verbs/diff.ts';
export type { ExportOptions } from './verbs/export.ts';
export { exportArchive } from './verbs/export.ts';
export type { FetchOptions, FetchResult } from './verbs/fetch.ts';
export { fetchImages, prepareFetch } from './verbs/fetch.ts';
export type {
  InspectedImage,
  InspectedLayer,
  InspectedReference,
  InspectOptions,
  InspectResult,
} from './verbs/inspect.ts';
export { inspect } from './verbs/inspect.ts';
export type { Leaseholder } from './verbs/load/lease.ts';
export type { LoadedImage, LoadOptions, LoadResult } from './verbs/load/load.ts';
export { load } from './verbs/load/load.ts';
export type { OpenArchiveOptions } from './verbs/open-archive.ts';
export { openArchive } from './verbs/open-archive.ts';
export type { MergedImage, MergeOptions, MergeResult } from './verbs/merge.ts';
export { merge } from './verbs/merge.ts';
export type {
  PlannedImage,
  PromotedImage,
  PromoteOptions,
  PromoteResult,
  Promotion,
} from './verbs/promote/promote.ts';
export type { OpenReference } from './verbs/promote/plan.ts';
export { promote } from './verbs/promote/promote.ts';
export type { PromotedTag } from './verbs/promote/tags.ts';
export type { PruneOptions, PruneResult } from './verbs/prune.ts';
export { prune } from './verbs/prune.ts';
export type { SavedImage, SaveOptions, SaveResult } from './verbs/save/options.ts';
export { save } from './verbs/save/save.ts';
export type { ReferredSave, SaveReferenceOptions, SaveReferenceResult } from './verbs/save-reference.ts';
export { saveReference } from './verbs/save-reference.ts';
export type { BuiltImage } from './verbs/save/sources/built.ts';
export type { ArchiveBytes, SaveSource } from './verbs/save/sources/source.ts';
export type { BaseSearch, PulledImage } from './verbs/save/thin/base-finder.ts';
export type { OmitOptions, ThinOptions } from './verbs/save/thin/omitter.ts';
export { pulledImages } from './verbs/save/thin/pulled-images.ts';
export type { SignedImage, SignOptions, SignResult } from './verbs/sign.ts';
export { sign } from './verbs/sign.ts';
export type { KeptName, UnloadOptions, UnloadResult } from './verbs/unload.ts';
export { unload } from './verbs/unload.ts';
export type { TakeReferredOptions } from './verbs/take-referred.ts';
export { takeReferred } from './verbs/take-referred.ts';
export type { UntaggedReference, UntagOptions, UntagResult } from './verbs/untag.ts';
export { untag } from './verbs/untag.ts';
export type { VerifiedImage, VerifiedReference, VerifyOptions, VerifyResult } from './verbs/verify/verify.ts';
export { verify } from './verbs/verify/verify.ts';

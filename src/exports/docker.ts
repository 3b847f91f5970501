/**
 * Docker daemons and podman: images in and out through the Engine API.
 * @module drayage/docker
 */
import '../disposal.ts';
export type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
export type {
  EndpointImage,
  ImageEndpoint,
  ImageTags,
  ImageUse,
  InspectImageOptions,
  EndpointLoadOptions,
  EndpointLoadResult,
  NamedImage,
  SaveArchiveOptions,
} from '../content/endpoint.ts';
export type { DaemonAddress, ResolveDockerHostOptions } from '../docker/connect/address.ts';
export { resolveDockerHost } from '../docker/connect/address.ts';
export type { DockerDaemon, DockerOptions, RemoveOptions } from '../docker/daemon.ts';
export { connectDocker } from '../docker/daemon.ts';
export type { DaemonImage, DaemonManifest, ImageSummary } from '../docker/images/description.ts';
export type { DaemonKind } from '../docker/kinds/kinds.ts';
export type { ReachOptions } from '../docker/connect/reach.ts';
export type { DockerTls } from '../docker/connect/tls.ts';
export type { Descriptor } from '../oci/descriptor.ts';
export type { Digest, DigestAlgorithm } from '../oci/digest.ts';
export type { Platform } from '../oci/platform.ts';
export type { ErrorCode, ErrorFacts } from '../errors.ts';
export { DrayageError, isDrayageError } from '../errors.ts';
export type { LayerStatus, OnProgress, ProgressBytes, ProgressEvent, ProgressPhase } from '../progress.ts';

import type { Origin } from './origin.ts';

/** The provenance of the job that built an image, in the words of SLSA provenance v1. */
export interface Build {
  /** The job. */
  origin: Origin;
  /** Defines the meaning of the fields: the `uri` of a {@link BuildType}. */
  buildType: string;
  /**
   * `source` is the project's address, `ref` is in full (`refs/heads/main`), `entryPoint` is the job. The image's names are
   * added as `imageRefs`.
   */
  externalParameters: { source: string; ref: string; entryPoint: string; [further: string]: unknown };
  internalParameters: { pipelineId: string; [further: string]: unknown };
  builderId: string;
  /** Address of the job. */
  invocationId: string;
  /** RFC 3339 time. */
  startedOn?: string | undefined;
  /**
   * What a certificate for this job states; `identity` is undefined if the CI does not give the job enough information.
   */
  signer: { issuer: string; identity?: string | undefined };
}

/** A job, as far as its address and its claimed name state it. */
export interface AddressedJob {
  /** Undefined if the address does not state it. */
  pipelineId?: string | undefined;
  /** Undefined if it depends on the job's name, and none is claimed. */
  jobId?: string | undefined;
  /** As {@link Origin.run}. */
  run?: string | undefined;
}

/** A build type of a CI, and how its certificates state a job. */
export interface BuildType {
  /** The name of the CI in annotations: `gitlab`. */
  ci: string;
  /** Names it in statements. */
  uri: string;
  /** The triggers of pipelines whose branch name was chosen by the author of a merge request. */
  mergeTriggers: readonly string[];
  /**
   * The job with an address, which a certificate states; undefined if no job of this CI and project has it.
   * @param source the project's address
   * @param jobName the name that the statement claims
   */
  jobAt(source: string, jobUrl: string, jobName: string | undefined): AddressedJob | undefined;
  /** Whether an identity belongs to a job that the project itself configures. */
  isConfiguredBy(source: string, identity: string): boolean;
  /** The address of the instance whose jobs an issuer vouches for; undefined if it does not belong to this CI. */
  serverOf(issuer: string): string | undefined;
}

import type { Origin } from './origin.ts';

/** What provenance states of the job that built an image, in the words of SLSA provenance v1. */
export interface Build {
  /** Which job it is. */
  origin: Origin;
  /** Says what the fields mean: the `uri` of a {@link BuildType}. */
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
  /** What a certificate for this job states; `identity` is undefined where the CI tells the job too little. */
  signer: { issuer: string; identity?: string | undefined };
}

/** A build type of a CI, and how its certificates state a job. */
export interface BuildType {
  /** Names it in statements. */
  uri: string;
  /** What starts a pipeline whose branch name whoever asks for a merge has chosen. */
  mergeTriggers: readonly string[];
  /** Address of a job: by the address of its project, and its ID. */
  jobUrl(source: string, id: string): string;
  /** Whether an identity is of a job that the project itself configures. */
  isConfiguredBy(source: string, identity: string): boolean;
  /** Address of the instance whose jobs an issuer vouches for; undefined where it is not one of this CI. */
  serverOf(issuer: string): string | undefined;
}

import type { Build, BuildType } from './build.ts';
import type { DotenvLimits } from './dotenv.ts';
import type { Env, Origin } from './origin.ts';

/** The maximum length of a job's ID, because it is part of a tag on the daemon. */
export const MAX_JOB_ID = 64;

/** A link on the job's page to something that the job made. */
export interface ReportedLink {
  /** An image's name, or its unique tag. */
  label: string;
  /** Path in the job's artifacts, with `/` between folders. */
  folder: string;
}

/**
 * Everything that is specific to one CI. Another CI is a folder beside `gitlab/` with one of these, and its row in
 * `cis`.
 */
export interface Ci {
  /** Its name in annotations, `dev.drayage.<name>.…`, and in {@link Origin}: lower-case letters, digits and hyphens. */
  name: string;
  /** Its name for people: `GitLab`. */
  title: string;
  /** How its jobs sign. */
  buildType: BuildType;
  dotenvLimits: DotenvLimits;
  /** Variables that may stand in a reference: none holds a secret, and the values of all have the form of a path or a tag. */
  referenceVariables: readonly string[];
  /** Who signs as a job, as an example: what a certificate of one states. */
  signerExample?: Build['signer'] | undefined;
  /** How a job gets an identity token for sigstore. */
  tokenHint?: string | undefined;
  /** Whether these are the variables of one of its jobs. */
  isHere(env: Env): boolean;
  /** @throws {@link DrayageError} `USAGE` naming the variable that is absent or malformed */
  readOrigin(env: Env): Origin;
  /** @throws {@link DrayageError} `USAGE` naming the variable that is absent or malformed */
  readBuild(env: Env): Build;
  /**
   * The IDs that name folders of a job and of a project, and the leases of a pipeline: each if it is set, also outside a
   * job.
   */
  readIds(env: Env): {
    jobId?: string | undefined;
    projectId?: string | undefined;
    pipelineId?: string | undefined;
  };
  /** The git tag that the pipeline runs for. */
  gitTag(env: Env): string | undefined;
  /**
   * The folder in which the job runs, into which artifacts of other jobs are unpacked; undefined if no variable names
   * it.
   */
  workspace?(env: Env): string | undefined;
  /** The host of the CI's server, which issues the tokens for its registry. */
  serverHost?(env: Env): string | undefined;
  /** The registries that the CI offers to the job, by host as references name them, with or without credentials. */
  registries?(env: Env): readonly string[];
  /** The job's credentials for registries, by host as references name it. */
  credentials?(env: Env): ReadonlyMap<string, { username: string; password: string }>;
  /**
   * The file that takes a job's variables beside the dotenv report, for CIs that read one there. Lines are added to it, and the last
   * value of a variable counts.
   */
  outputFile?(env: Env): string | undefined;
  /** The files beside {@link outputFile} to which steps of a job may only add lines. */
  appendedFiles?(env: Env): readonly string[];
  /** What only the job itself knows, from its first command to its last. */
  jobSecret?(env: Env): string | undefined;
  /** Whether only people who may release may push to the job's ref. */
  isProtected?(env: Env): boolean;
  /** The default limit for artifacts of the job's instance, in bytes. */
  sizeLimit?(origin: Origin): number;
  /** A report with links from the job's page into its artifacts. */
  artifactLinks?(origin: Origin, links: readonly ReportedLink[]): string;
  /** A report with links from the job's page to those references that are in the project's own registry. */
  registryLinks?(origin: Origin, references: readonly string[], env: Env): string;
}

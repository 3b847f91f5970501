import type { Build, BuildType } from './build.ts';
import type { DotenvLimits } from './dotenv.ts';
import type { Env, Origin } from './origin.ts';

/** What a job has made, as its page may link to it. */
export interface ReportedLink {
  /** An image's name, or its unique tag. */
  label: string;
  /** Path in the job's artifacts, with `/` between folders. */
  folder: string;
}

/** One CI: all that is its own. Another one is a folder beside `gitlab/` with one of these, and its row in `cis`. */
export interface Ci {
  /** In annotations, `dev.drayage.<name>.…`, and in {@link Origin}: lower case letters, digits and hyphens. */
  name: string;
  /** As people write it: `GitLab`. */
  title: string;
  /** How its jobs sign. */
  buildType: BuildType;
  dotenvLimits: DotenvLimits;
  /** Variables that may stand in a reference: none holds a secret, and the values of all have the form of a path or a tag. */
  referenceVariables: readonly string[];
  /** How a job gets an identity token for sigstore. */
  tokenHint?: string | undefined;
  /** Whether these are the variables of one of its jobs. */
  isHere(env: Env): boolean;
  /** @throws {@link DrayageError} `USAGE` naming the variable that is absent or malformed */
  readOrigin(env: Env): Origin;
  /** @throws {@link DrayageError} `USAGE` naming the variable that is absent or malformed */
  readBuild(env: Env): Build;
  /** What names folders of a job and of a project, each as far as it is set: also outside a job. */
  readIds(env: Env): { jobId?: string | undefined; projectId?: string | undefined };
  /** The git tag that the pipeline runs for. */
  gitTag(env: Env): string | undefined;
  /** What it gives a job for registries, by host as references name it. */
  credentials?(env: Env): ReadonlyMap<string, { username: string; password: string }>;
  /** Whether only those may push to the job's ref who may release. */
  isProtected?(env: Env): boolean;
  /** Bytes of artifacts that the job's instance takes unless its administrators said otherwise. */
  sizeLimit?(origin: Origin): number;
  /** A report that links from the job's page into its artifacts. */
  artifactLinks?(origin: Origin, links: readonly ReportedLink[]): string;
  /** A report that links from the job's page to those of the references that are in the project's own registry. */
  registryLinks?(origin: Origin, references: readonly string[], env: Env): string;
}

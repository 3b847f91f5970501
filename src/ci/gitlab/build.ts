import * as v from 'valibot';
import type { GitLabJob } from './job.ts';
import { readGitLabJob } from './job.ts';

/** What a build's provenance says of the GitLab job that it ran in, beyond what names the job. */
export interface GitLabBuild extends GitLabJob {
  /** Address of the job's page. */
  jobUrl: string;
  /** The full name of the ref: `refs/heads/main`, `refs/tags/v1`; of a merge request's pipeline that of its source branch. */
  fullRef: string;
  /** Where the pipeline's configuration is: a path in the project, or elsewhere as GitLab writes it. */
  configPath: string;
  /** What started the pipeline: `push`, `schedule`, … */
  trigger: string;
  pipelineUrl: string;
  runner: { id: string; executableArch?: string | undefined };
  /** RFC 3339 time. */
  startedAt?: string | undefined;
}

const text = v.pipe(v.string(), v.minLength(1));
const optionalText = v.optional(v.string());

const variables = v.object({
  CI_JOB_URL: text,
  CI_PIPELINE_SOURCE: text,
  CI_RUNNER_ID: text,
  CI_CONFIG_PATH: optionalText,
  CI_PIPELINE_URL: optionalText,
  CI_RUNNER_EXECUTABLE_ARCH: optionalText,
  CI_JOB_STARTED_AT: optionalText,
  CI_COMMIT_TAG: optionalText,
  CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: optionalText,
});

/** Reads the build out of the environment; undefined outside GitLab, or where a variable is absent or not of its form. */
export function readGitLabBuild(env: Readonly<Record<string, string | undefined>>): GitLabBuild | undefined {
  const job = readGitLabJob(env);
  const result = v.safeParse(variables, env);
  if (job === undefined || !result.success) return undefined;
  const found = result.output;
  return {
    ...job,
    jobUrl: found.CI_JOB_URL,
    fullRef: fullRef(job.ref, found.CI_COMMIT_TAG, found.CI_MERGE_REQUEST_SOURCE_BRANCH_NAME),
    configPath: found.CI_CONFIG_PATH || '.gitlab-ci.yml',
    trigger: found.CI_PIPELINE_SOURCE,
    pipelineUrl: found.CI_PIPELINE_URL || `${job.projectUrl}/-/pipelines/${job.pipelineId}`,
    runner: { id: found.CI_RUNNER_ID, executableArch: found.CI_RUNNER_EXECUTABLE_ARCH || undefined },
    startedAt: found.CI_JOB_STARTED_AT || undefined,
  };
}

/**
 * Who GitLab says, in the tokens that it signs, that a job is: `https://<host>/<project>//<configuration>@<full ref>`. That is
 * the identity in a certificate of such a job. Undefined where the configuration lies outside the project.
 */
export function jobIdentity({
  server,
  projectPath,
  configPath,
  fullRef: ref,
}: GitLabBuild): string | undefined {
  if (/@|:\/\//.test(configPath)) return undefined;
  return `https://${server.replace(/^https?:\/\//, '')}/${projectPath}//${configPath}@${ref}`;
}

/** As GitLab's tokens have it: they know no `refs/merge-requests/…`. */
function fullRef(ref: string, tag: string | undefined, sourceBranch: string | undefined): string {
  return tag ? `refs/tags/${tag}` : `refs/heads/${sourceBranch || ref}`;
}

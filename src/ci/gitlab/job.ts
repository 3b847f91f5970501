import * as v from 'valibot';
import { GITLAB_PREFIX, REVISION, SOURCE } from '../../oci/annotations.ts';

/** The CI variables of a GitLab job that are used, as one value. */
export interface GitLabJob {
  /** Address of the instance: `https://gitlab.example`. */
  server: string;
  projectPath: string;
  projectId: string;
  projectUrl: string;
  pipelineId: string;
  jobId: string;
  jobName: string;
  /** Address of the job's page, where it is known. */
  jobUrl?: string | undefined;
  /** Branch or tag. */
  ref: string;
  commit: string;
}

const id = v.pipe(v.string(), v.regex(/^\d+$/));
const text = v.pipe(v.string(), v.minLength(1));

const variables = v.pipe(
  v.object({
    CI_SERVER_URL: text,
    CI_PROJECT_PATH: text,
    CI_PROJECT_ID: id,
    CI_PROJECT_URL: text,
    CI_PIPELINE_ID: id,
    CI_JOB_ID: id,
    CI_JOB_NAME: text,
    CI_JOB_URL: v.optional(v.string()),
    CI_COMMIT_REF_NAME: text,
    CI_COMMIT_SHA: v.pipe(v.string(), v.regex(/^[0-9a-f]{40,64}$/)),
  }),
  v.transform((env): GitLabJob => ({
    server: env.CI_SERVER_URL,
    projectPath: env.CI_PROJECT_PATH,
    projectId: env.CI_PROJECT_ID,
    projectUrl: env.CI_PROJECT_URL,
    pipelineId: env.CI_PIPELINE_ID,
    jobId: env.CI_JOB_ID,
    jobName: env.CI_JOB_NAME,
    jobUrl: env.CI_JOB_URL || undefined,
    ref: env.CI_COMMIT_REF_NAME,
    commit: env.CI_COMMIT_SHA,
  })),
);

/** Reads the job out of the environment; undefined outside GitLab, or where a variable is absent or not of its form. */
export function readGitLabJob(env: Readonly<Record<string, string | undefined>>): GitLabJob | undefined {
  if (env['GITLAB_CI'] !== 'true') return undefined;
  const result = v.safeParse(variables, env);
  return result.success ? result.output : undefined;
}

/**
 * The annotations that say who saved an image. They are hints, not proof: whoever can write the layout can write them.
 */
export function gitlabAnnotations(job: GitLabJob): Record<string, string> {
  return {
    [REVISION]: job.commit,
    [SOURCE]: job.projectUrl,
    [`${GITLAB_PREFIX}server`]: job.server,
    [`${GITLAB_PREFIX}project-path`]: job.projectPath,
    [`${GITLAB_PREFIX}project-id`]: job.projectId,
    [`${GITLAB_PREFIX}pipeline-id`]: job.pipelineId,
    [`${GITLAB_PREFIX}job-id`]: job.jobId,
    [`${GITLAB_PREFIX}job-name`]: job.jobName,
    [`${GITLAB_PREFIX}ref`]: job.ref,
  };
}

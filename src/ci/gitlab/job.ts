import * as v from 'valibot';
import type { Env, Origin } from '../origin.ts';
import {
  addressVariable,
  commitVariable,
  idVariable,
  readVariables,
  textVariable,
} from '../read-variables.ts';

/** GitLab's name in annotations. */
export const GITLAB = 'gitlab';

/** How errors call it, and what a job can do about its variables. */
export const GITLAB_JOB = {
  title: 'GitLab',
  hint: 'pass on every CI_* variable; or GITLAB_CI= with no value, to work as outside a job',
};

/** Groups and a project, as GitLab permits their paths. */
const projectPath = v.pipe(v.string(), v.regex(/^[\w.-]+(?:\/[\w.-]+)+$/));

const variables = v.object({
  CI_SERVER_URL: addressVariable,
  CI_PROJECT_PATH: projectPath,
  CI_PROJECT_ID: idVariable,
  CI_PROJECT_URL: addressVariable,
  CI_PIPELINE_ID: idVariable,
  CI_JOB_ID: idVariable,
  CI_JOB_NAME: textVariable,
  CI_JOB_URL: v.optional(v.union([v.literal(''), addressVariable])),
  CI_COMMIT_REF_NAME: textVariable,
  CI_COMMIT_SHA: commitVariable,
});

/**
 * Reads the identity of this job.
 * @throws {@link DrayageError} `USAGE` naming the variable that is absent or malformed
 */
export function readOrigin(env: Env): Origin {
  const found = readVariables(variables, env, GITLAB_JOB);
  return {
    ci: GITLAB,
    server: found.CI_SERVER_URL,
    projectPath: found.CI_PROJECT_PATH,
    projectId: found.CI_PROJECT_ID,
    projectUrl: found.CI_PROJECT_URL,
    pipelineId: found.CI_PIPELINE_ID,
    jobId: found.CI_JOB_ID,
    jobName: found.CI_JOB_NAME,
    jobUrl: found.CI_JOB_URL || undefined,
    ref: found.CI_COMMIT_REF_NAME,
    commit: found.CI_COMMIT_SHA,
  };
}

/** The IDs of job, project and pipeline, each if it is set. */
export function readIds(env: Env): { jobId?: string; projectId?: string; pipelineId?: string } {
  const names = ['CI_JOB_ID', 'CI_PROJECT_ID', 'CI_PIPELINE_ID'];
  const [jobId, projectId, pipelineId] = names.map((name) =>
    v.is(idVariable, env[name]) ? env[name] : undefined,
  );
  return { jobId, projectId, pipelineId };
}

import * as v from 'valibot';
import { DrayageError } from '../../errors.ts';
import type { Env, Origin } from '../origin.ts';

/** GitLab's name in annotations. */
export const GITLAB = 'gitlab';

const id = v.pipe(v.string(), v.regex(/^\d+$/));
const text = v.pipe(v.string(), v.minLength(1));

const variables = v.object({
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
});

/**
 * Reads the identity of this job.
 * @throws {@link DrayageError} `USAGE` naming the variable that is absent or malformed
 */
export function readOrigin(env: Env): Origin {
  const found = readVariables(variables, env);
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
  const [jobId, projectId, pipelineId] = names.map((name) => (v.is(id, env[name]) ? env[name] : undefined));
  return { jobId, projectId, pipelineId };
}

/**
 * Reads variables of a job.
 * @throws {@link DrayageError} `USAGE` naming the first one that is absent or malformed
 */
export function readVariables<T>(schema: v.GenericSchema<unknown, T>, env: Env): T {
  const result = v.safeParse(schema, env, { abortEarly: true });
  if (result.success) return result.output;
  const name = v.getDotPath(result.issues[0]) ?? '';
  const state = env[name] ? `is malformed: ${JSON.stringify(env[name])}` : 'is not set';
  throw new DrayageError('USAGE', `the variables of this GitLab job are incomplete: ${name} ${state}`, {
    reason: 'CI_VARIABLE',
    actual: env[name],
    hint: 'pass on every CI_* variable; or GITLAB_CI= with no value, to work as outside a job',
  });
}

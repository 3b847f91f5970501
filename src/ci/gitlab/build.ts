import * as v from 'valibot';
import type { AddressedJob, Build, BuildType } from '../build.ts';
import type { Env, Origin } from '../origin.ts';
import { addressVariable, readVariables, textVariable } from '../read-variables.ts';
import { GITLAB, GITLAB_JOB, readOrigin } from './job.ts';

/** The build of a GitLab job, as docs/build-type.md describes it. */
export const gitlabBuildType: BuildType = {
  ci: GITLAB,
  uri: 'urn:uuid:e9b88c44-ef8a-4cdd-a632-3a52645fd0db',
  mergeTriggers: ['merge_request_event'],
  jobAt,
  isConfiguredBy: (source, identity) => identity.startsWith(`${source}//`),
  // Any address may be that of an instance.
  serverOf: (issuer) => issuer.replace(/\/$/, ''),
};

function jobAt(source: string, jobUrl: string): AddressedJob | undefined {
  const start = `${source}/-/jobs/`;
  const jobId = jobUrl.startsWith(start) ? jobUrl.slice(start.length) : '';
  return jobId === '' ? undefined : { jobId };
}

const optionalText = v.optional(v.string());

const variables = v.object({
  CI_JOB_URL: addressVariable,
  CI_PIPELINE_SOURCE: textVariable,
  CI_RUNNER_ID: textVariable,
  CI_CONFIG_PATH: optionalText,
  CI_PIPELINE_URL: optionalText,
  CI_RUNNER_EXECUTABLE_ARCH: optionalText,
  CI_JOB_STARTED_AT: optionalText,
  CI_COMMIT_TAG: optionalText,
  CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: optionalText,
});

/**
 * Reads the build of this job.
 * @throws {@link DrayageError} `USAGE` naming the variable that is absent or malformed
 */
export function readBuild(env: Env): Build {
  const origin = readOrigin(env);
  const found = readVariables(variables, env, GITLAB_JOB);
  const { projectUrl, pipelineId, jobId, projectId } = origin;
  const ref = fullRef(origin, found.CI_COMMIT_TAG, found.CI_MERGE_REQUEST_SOURCE_BRANCH_NAME);
  const configPath = found.CI_CONFIG_PATH || '.gitlab-ci.yml';
  return {
    origin,
    buildType: gitlabBuildType.uri,
    externalParameters: {
      source: projectUrl,
      ref,
      entryPoint: origin.jobName,
      configPath,
      trigger: found.CI_PIPELINE_SOURCE,
    },
    internalParameters: {
      pipelineId,
      pipelineUrl: found.CI_PIPELINE_URL || `${projectUrl}/-/pipelines/${pipelineId}`,
      jobId,
      projectId,
      runner: { id: found.CI_RUNNER_ID, executableArch: found.CI_RUNNER_EXECUTABLE_ARCH || undefined },
    },
    builderId: `${projectUrl}/-/runners/${found.CI_RUNNER_ID}`,
    invocationId: found.CI_JOB_URL,
    startedOn: found.CI_JOB_STARTED_AT || undefined,
    signer: { issuer: origin.server, identity: identityOf(origin, configPath, ref) },
  };
}

/**
 * The identity of a job in GitLab's signed tokens, and so in its certificate:
 * `https://<host>/<project>//<configuration>@<full ref>`. Undefined if the configuration is outside the project.
 */
function identityOf({ server, projectPath }: Origin, configPath: string, ref: string): string | undefined {
  if (/@|:\/\//.test(configPath)) return undefined;
  return `https://${server.replace(/^https?:\/\//, '')}/${projectPath}//${configPath}@${ref}`;
}

/** As in GitLab's tokens, which contain no `refs/merge-requests/…`. */
function fullRef({ ref }: Origin, tag: string | undefined, sourceBranch: string | undefined): string {
  return tag ? `refs/tags/${tag}` : `refs/heads/${sourceBranch || ref}`;
}

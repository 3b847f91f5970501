import type { Origin } from '../../src/ci/origin.ts';

/** What a runner tells every job of one pipeline. */
export interface PipelineVariables {
  CI: string;
  GITLAB_CI: string;
  CI_SERVER_URL: string;
  CI_PROJECT_PATH: string;
  CI_PROJECT_ID: string;
  CI_PROJECT_URL: string;
  CI_PIPELINE_ID: string;
  CI_COMMIT_REF_NAME: string;
  CI_COMMIT_SHA: string;
}

/** What it tells one of them. */
export interface JobVariables extends PipelineVariables {
  CI_JOB_ID: string;
  CI_JOB_NAME: string;
  CI_JOB_URL: string;
}

export const PIPELINE: Readonly<PipelineVariables> = {
  CI: 'true',
  GITLAB_CI: 'true',
  CI_SERVER_URL: 'https://gitlab.example',
  CI_PROJECT_PATH: 'group/app',
  CI_PROJECT_ID: '12',
  CI_PROJECT_URL: 'https://gitlab.example/group/app',
  CI_PIPELINE_ID: '4711',
  CI_COMMIT_REF_NAME: 'main',
  CI_COMMIT_SHA: 'a'.repeat(40),
};

/** The variables of a job of that pipeline. */
export function gitlabJob(id: string, name: string): Record<string, string> & JobVariables {
  const url = `${PIPELINE.CI_PROJECT_URL}/-/jobs/${id}`;
  return { ...PIPELINE, CI_JOB_ID: id, CI_JOB_NAME: name, CI_JOB_URL: url };
}

/** The variables of a job that signs, and of one that takes what was signed. */
export const SIGNING_JOB: Readonly<Record<string, string>> = {
  ...gitlabJob('123', 'build'),
  CI_PIPELINE_SOURCE: 'push',
  CI_RUNNER_ID: '7',
};

export const TAKING_JOB: Readonly<Record<string, string>> = { ...SIGNING_JOB, ...gitlabJob('124', 'test') };

/** Job 123 of that pipeline, as its origin states it. */
export const ORIGIN: Origin = {
  ci: 'gitlab',
  server: PIPELINE.CI_SERVER_URL,
  projectPath: PIPELINE.CI_PROJECT_PATH,
  projectId: PIPELINE.CI_PROJECT_ID,
  projectUrl: PIPELINE.CI_PROJECT_URL,
  pipelineId: PIPELINE.CI_PIPELINE_ID,
  jobId: '123',
  jobName: 'build',
  ref: PIPELINE.CI_COMMIT_REF_NAME,
  commit: PIPELINE.CI_COMMIT_SHA,
};

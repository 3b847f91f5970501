/** The variables of a job that signs, and of one that takes what was signed. */
export const SIGNING_JOB: Readonly<Record<string, string>> = {
  CI: 'true',
  GITLAB_CI: 'true',
  CI_SERVER_URL: 'https://gitlab.example',
  CI_PROJECT_PATH: 'group/app',
  CI_PROJECT_ID: '12',
  CI_PROJECT_URL: 'https://gitlab.example/group/app',
  CI_PIPELINE_ID: '4711',
  CI_PIPELINE_SOURCE: 'push',
  CI_JOB_ID: '123',
  CI_JOB_NAME: 'build',
  CI_JOB_URL: 'https://gitlab.example/group/app/-/jobs/123',
  CI_COMMIT_REF_NAME: 'main',
  CI_COMMIT_SHA: 'a'.repeat(40),
  CI_RUNNER_ID: '7',
};

export const TAKING_JOB: Readonly<Record<string, string>> = {
  ...SIGNING_JOB,
  CI_JOB_ID: '124',
  CI_JOB_NAME: 'test',
  CI_JOB_URL: 'https://gitlab.example/group/app/-/jobs/124',
};

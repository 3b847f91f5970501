/** The variables of a GitHub Actions job. */
export function githubJob(change: Record<string, string> = {}): Record<string, string> {
  return {
    GITHUB_ACTIONS: 'true',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_REPOSITORY: 'group/app',
    GITHUB_REPOSITORY_ID: '12',
    GITHUB_RUN_ID: '77',
    GITHUB_RUN_ATTEMPT: '2',
    GITHUB_RUN_NUMBER: '5',
    GITHUB_JOB: 'build',
    GITHUB_REF: 'refs/heads/main',
    GITHUB_REF_NAME: 'main',
    GITHUB_REF_TYPE: 'branch',
    GITHUB_SHA: 'c'.repeat(40),
    GITHUB_WORKFLOW_REF: 'group/app/.github/workflows/ci.yml@refs/heads/main',
    GITHUB_EVENT_NAME: 'push',
    RUNNER_ENVIRONMENT: 'github-hosted',
    RUNNER_ARCH: 'X64',
    ...change,
  };
}

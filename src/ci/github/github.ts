import type { Ci } from '../ci.ts';
import { githubBuildType, readBuild } from './build.ts';
import { GITHUB, GITHUB_JOB, readIds, readOrigin } from './job.ts';

/** GitHub Actions. Its artifacts are restored by its own action; drayage asks no API. */
export const github: Ci = {
  name: GITHUB,
  title: GITHUB_JOB.title,
  buildType: githubBuildType,
  // The outputs of one job may be 1 MiB.
  dotenvLimits: { size: 1024 ** 2, variables: Infinity },
  referenceVariables: ['GITHUB_JOB', 'GITHUB_REPOSITORY', 'GITHUB_RUN_ID', 'GITHUB_RUN_NUMBER', 'GITHUB_SHA'],
  signerExample: {
    issuer: 'https://token.actions.githubusercontent.com',
    identity: 'https://github.com/group/app/.github/workflows/ci.yml@refs/heads/main',
  },
  tokenHint:
    'the job has to say permissions: {id-token: write}, and a step has to request the token for sigstore',
  isHere: (env) => env['GITHUB_ACTIONS'] === 'true',
  readOrigin,
  readBuild,
  readIds,
  gitTag: (env) => (env['GITHUB_REF_TYPE'] === 'tag' ? env['GITHUB_REF_NAME'] || undefined : undefined),
  workspace: (env) => env['GITHUB_WORKSPACE'] || undefined,
  isProtected: (env) => env['GITHUB_REF_PROTECTED'] === 'true',
  outputFile: (env) => env['GITHUB_OUTPUT'] || undefined,
  appendedFiles: (env) => [env['GITHUB_ENV'] || []].flat(),
};

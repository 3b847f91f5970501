import type { Ci } from '../ci.ts';
import { gitlabBuildType, readBuild } from './build.ts';
import { GITLAB, GITLAB_JOB, readIds, readOrigin } from './job.ts';
import { artifactLinks, registryLinks } from './link-reports.ts';
import { offeredRegistries, registryCredentials } from './registries.ts';

/** GitLab's default limits for an archive of artifacts, in bytes. */
const GITLAB_COM = 1024 ** 3;
const SELF_MANAGED = 100 * 1024 ** 2;

/** GitLab CI. */
export const gitlab: Ci = {
  name: GITLAB,
  title: GITLAB_JOB.title,
  buildType: gitlabBuildType,
  // The defaults of `artifacts:reports:dotenv`.
  dotenvLimits: { size: 5120, variables: 20 },
  referenceVariables: [
    'CI_COMMIT_SHA',
    'CI_COMMIT_SHORT_SHA',
    'CI_COMMIT_TAG',
    'CI_COMMIT_REF_SLUG',
    'CI_DEFAULT_BRANCH',
    'CI_ENVIRONMENT_SLUG',
    'CI_JOB_ID',
    'CI_MERGE_REQUEST_IID',
    'CI_PIPELINE_ID',
    'CI_PIPELINE_IID',
    'CI_PROJECT_NAME',
    'CI_PROJECT_NAMESPACE',
    'CI_PROJECT_PATH',
    'CI_PROJECT_PATH_SLUG',
    'CI_REGISTRY',
    'CI_REGISTRY_IMAGE',
  ],
  signerExample: {
    issuer: 'https://gitlab.com',
    identity: 'https://gitlab.com/group/app//.gitlab-ci.yml@refs/heads/main',
  },
  tokenHint: 'the job has to say id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}',
  isHere: (env) => env['GITLAB_CI'] === 'true',
  readOrigin,
  readBuild,
  readIds,
  gitTag: (env) => env['CI_COMMIT_TAG'] || undefined,
  workspace: (env) => env['CI_PROJECT_DIR'] || undefined,
  serverHost: (env) => env['CI_SERVER_HOST'] || undefined,
  jobSecret: (env) => env['CI_JOB_TOKEN'] || undefined,
  registries: offeredRegistries,
  credentials: registryCredentials,
  isProtected: (env) => env['CI_COMMIT_REF_PROTECTED'] === 'true',
  sizeLimit: ({ server }) => (server === 'https://gitlab.com' ? GITLAB_COM : SELF_MANAGED),
  artifactLinks,
  registryLinks,
};

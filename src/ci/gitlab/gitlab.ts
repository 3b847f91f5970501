import type { Ci } from '../ci.ts';
import { gitlabBuildType, readBuild } from './build.ts';
import { GITLAB, readIds, readOrigin } from './job.ts';
import { artifactLinks, registryLinks } from './link-reports.ts';
import { registryCredentials } from './registries.ts';

/** GitLab's defaults for the size of an archive of artifacts, in bytes. */
const GITLAB_COM = 1024 ** 3;
const SELF_MANAGED = 100 * 1024 ** 2;

/** GitLab CI. */
export const gitlab: Ci = {
  name: GITLAB,
  title: 'GitLab',
  buildType: gitlabBuildType,
  // Of `artifacts:reports:dotenv`, unless an administrator says otherwise.
  dotenvLimits: { size: 5120, variables: 20 },
  isHere: (env) => env['GITLAB_CI'] === 'true',
  readOrigin,
  readBuild,
  readIds,
  credentials: registryCredentials,
  isProtected: (env) => env['CI_COMMIT_REF_PROTECTED'] === 'true',
  sizeLimit: ({ server }) => (server === 'https://gitlab.com' ? GITLAB_COM : SELF_MANAGED),
  artifactLinks,
  registryLinks,
};

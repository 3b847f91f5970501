import { readBuild as readGitHubBuild } from '../ci/github/build.ts';
import { readBuild as readGitLabBuild } from '../ci/gitlab/build.ts';
import type { Env } from '../ci/origin.ts';
import type { MakeStatement, StatementOptions } from './statement.ts';
import { provenanceOfBuild } from './statement.ts';

/**
 * Makes the statements of this GitLab job.
 * @param env the job's variables: `process.env`
 * @throws {@link DrayageError} `USAGE` naming the variable that is absent or malformed
 */
export function gitlabStatement(env: Env, options?: Pick<StatementOptions, 'version'>): MakeStatement {
  return provenanceOfBuild(readGitLabBuild(env), options);
}

/**
 * Makes the statements of this GitHub Actions job.
 * @param env the job's variables: `process.env`
 * @throws {@link DrayageError} `USAGE` naming the variable that is absent or malformed
 */
export function githubStatement(env: Env, options?: Pick<StatementOptions, 'version'>): MakeStatement {
  return provenanceOfBuild(readGitHubBuild(env), options);
}

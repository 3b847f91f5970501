import * as v from 'valibot';
import type { Build, BuildType } from '../build.ts';
import type { Env } from '../origin.ts';
import { readVariables, textVariable } from '../read-variables.ts';
import { GITHUB, GITHUB_JOB, jobAt, readOrigin } from './job.ts';

/** The build of a GitHub Actions job, as docs/build-type.md describes it. */
export const githubBuildType: BuildType = {
  ci: GITHUB,
  uri: 'urn:uuid:a9e51a8b-c13a-445f-907f-4a3928cb22c8',
  mergeTriggers: ['pull_request', 'pull_request_target'],
  jobAt,
  isConfiguredBy: (source, identity) => identity.startsWith(`${source}/.github/workflows/`),
  serverOf,
};

const variables = v.object({
  GITHUB_REF: v.pipe(v.string(), v.startsWith('refs/')),
  GITHUB_WORKFLOW_REF: textVariable,
  GITHUB_EVENT_NAME: textVariable,
  RUNNER_ENVIRONMENT: v.optional(v.string()),
  RUNNER_ARCH: v.optional(v.string()),
});

/**
 * Reads the build of this job.
 * @throws {@link DrayageError} `USAGE` naming the variable that is absent or malformed
 */
export function readBuild(env: Env): Build {
  const origin = readOrigin(env);
  const found = readVariables(variables, env, GITHUB_JOB);
  const { server, projectUrl, projectId, pipelineId, jobUrl, run } = origin;
  const runner = found.RUNNER_ENVIRONMENT || 'self-hosted';
  return {
    origin,
    buildType: githubBuildType.uri,
    externalParameters: {
      source: projectUrl,
      ref: found.GITHUB_REF,
      entryPoint: origin.jobName,
      workflow: found.GITHUB_WORKFLOW_REF,
      trigger: found.GITHUB_EVENT_NAME,
    },
    internalParameters: {
      pipelineId,
      attempt: run,
      projectId,
      runner: { environment: runner, arch: found.RUNNER_ARCH || undefined },
    },
    builderId: `${server}/actions/runner/${runner}`,
    invocationId: jobUrl,
    signer: { issuer: issuerOf(server), identity: `${server}/${found.GITHUB_WORKFLOW_REF}` },
  };
}

const GITHUB_COM = 'github.com';

/** Who vouches for the jobs of a server: one for GitHub itself, one for each tenant, and each server of a company for its own. */
function issuerOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '');
  if (host === GITHUB_COM) return 'https://token.actions.githubusercontent.com';
  return host.endsWith('.ghe.com') ? `https://token.actions.${host}` : `${server}/_services/token`;
}

function serverOf(issuer: string): string | undefined {
  if (issuer === issuerOf(`https://${GITHUB_COM}`)) return `https://${GITHUB_COM}`;
  const [, tenant] = /^https:\/\/token\.actions\.([\w-]+\.ghe\.com)$/.exec(issuer) ?? [];
  if (tenant !== undefined) return `https://${tenant}`;
  return /^(https:\/\/[^/]+)\/_services\/token$/.exec(issuer)?.[1];
}

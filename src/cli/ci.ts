import { isAbsolute } from 'node:path';
import type { Build, Ci, Origin } from '../index.ts';
import { cis, originAnnotations } from '../index.ts';
import type { Context } from './context.ts';

type Env = Context['env'];

/** A job, and the CI that runs it. */
export interface Job {
  ci: Ci;
  origin: Origin;
}

/** The CIs that are known, for messages: `GitLab or GitHub Actions`. */
export const knownCis: string = cis.map(({ title }) => title).join(' or ');

/** The CI that this process runs in. Every command asks here, and for its job below. */
export function ciOf(env: Env): Ci | undefined {
  return cis.find((ci) => ci.isHere(env));
}

/** Whether this is a GitLab job, whose runner has restored the artifacts. */
export function isGitLab({ env }: Pick<Context, 'env'>): boolean {
  return ciOf(env)?.name === 'gitlab';
}

/**
 * The job that this is; undefined outside a CI. A job that cannot be read is never none: nothing would be expected then.
 * @throws {@link DrayageError} `USAGE` for a variable that is absent or malformed
 */
export function readJob(env: Env): Job | undefined {
  const ci = ciOf(env);
  return ci && { ci, origin: ci.readOrigin(env) };
}

/**
 * The build that this job makes; undefined outside a CI.
 * @throws {@link DrayageError} `USAGE` for a variable that is absent or malformed
 */
export function readBuild(env: Env): Build | undefined {
  return ciOf(env)?.readBuild(env);
}

/** The IDs that name this job's layout, this project's cache and this pipeline's leases: those of any CI, also where only they are set. */
export function readIds(env: Env): ReturnType<Ci['readIds']> {
  const found = cis.map((ci) => ci.readIds(env));
  return {
    jobId: found.find(({ jobId }) => jobId !== undefined)?.jobId,
    projectId: found.find(({ projectId }) => projectId !== undefined)?.projectId,
    pipelineId: found.find(({ pipelineId }) => pipelineId !== undefined)?.pipelineId,
  };
}

/**
 * The folder in which this job runs; undefined outside a CI, and where no variable names it by an absolute path: a
 * relative one would mean another folder in each working folder.
 */
export function workspaceOf(env: Env): string | undefined {
  const named = ciOf(env)?.workspace?.(env);
  return named !== undefined && isAbsolute(named) ? named : undefined;
}

/** What only this job knows; undefined outside a CI. */
export function jobSecretOf(env: Env): string | undefined {
  return ciOf(env)?.jobSecret?.(env);
}

/** What images state that this job writes. */
export function annotationsOf({ origin }: Job, env: Env): Record<string, string> {
  return originAnnotations(origin, jobSecretOf(env));
}

/** The git tag that the pipeline runs for: that of any CI. */
export function gitTagOf(env: Env): string | undefined {
  return cis.map((ci) => ci.gitTag(env)).find((tag) => tag !== undefined);
}

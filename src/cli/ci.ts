import type { Build, Ci, Origin } from '../index.ts';
import { cis, isDrayageError } from '../index.ts';
import type { Context } from './context.ts';

type Env = Context['env'];

/** A job, and the CI that runs it. */
export interface Job {
  ci: Ci;
  origin: Origin;
}

/** The CIs that are known, for messages: `GitLab`. */
export const knownCis: string = cis.map(({ title }) => title).join(' or ');

/** The CI that this process runs in. Every command asks here, and for its job below. */
export function ciOf(env: Env): Ci | undefined {
  return cis.find((ci) => ci.isHere(env));
}

/** Whether this is a GitLab job, whose runner has restored the artifacts. */
export function isGitLab({ env }: Pick<Context, 'env'>): boolean {
  return ciOf(env)?.name === 'gitlab';
}

/** The job that this is; undefined outside a CI. */
export function readJob(env: Env): Job | undefined {
  const ci = ciOf(env);
  const origin = ci && readable(() => ci.readOrigin(env));
  return ci && origin && { ci, origin };
}

/** The build that this job makes; undefined outside a CI. */
export function readBuild(env: Env): Build | undefined {
  const ci = ciOf(env);
  return ci && readable(() => ci.readBuild(env));
}

/** The IDs that name this job's layout and this project's cache: those of any CI, also where only they are set. */
export function readIds(env: Env): ReturnType<Ci['readIds']> {
  const found = cis.map((ci) => ci.readIds(env));
  return {
    jobId: found.find(({ jobId }) => jobId !== undefined)?.jobId,
    projectId: found.find(({ projectId }) => projectId !== undefined)?.projectId,
  };
}

/** What only this job knows; undefined outside a CI. */
export function jobSecretOf(env: Env): string | undefined {
  return ciOf(env)?.jobSecret?.(env);
}

/** The git tag that the pipeline runs for: that of any CI. */
export function gitTagOf(env: Env): string | undefined {
  return cis.map((ci) => ci.gitTag(env)).find((tag) => tag !== undefined);
}

/** A job whose variables are not all there and well-formed counts as none. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isDrayageError(error, 'USAGE')) return undefined;
    throw error;
  }
}

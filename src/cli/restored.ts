import { resolve, sep } from 'node:path';
import { isGitLab, readIds } from './ci.ts';
import type { Context } from './context.ts';

/** The default folder of layouts: below the working folder, so that a job can ship them as its artifact. */
export const HOME = '.drayage';

/**
 * Whether a path is where the runner of a GitLab job restores artifacts that drayage saved: below `.drayage`, except what this
 * job saves itself. Any other folder may be of any origin.
 */
export function isRestored(path: string, context: Pick<Context, 'env'>): boolean {
  if (!isGitLab(context)) return false;
  const [home, absolute] = [resolve(HOME), resolve(path)];
  return (absolute === home || absolute.startsWith(home + sep)) && !isOwn(path, context);
}

/** Whether a path is where this job saves, if it names no other folder. */
export function isOwn(path: string, { env }: Pick<Context, 'env'>): boolean {
  const { jobId } = readIds(env);
  return jobId !== undefined && resolve(path) === resolve(HOME, jobId);
}

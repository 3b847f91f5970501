import type { FoundJob, GitLab, JobArtifact, JobQuery, LocatedArtifact } from '../index.ts';
import type { Context } from './context.ts';
import type { GitLabConnectionOptions } from './gitlab.ts';
import { temporaryParent } from './temporary-folder.ts';

/** This job's GitLab. It is connected to when it is first needed, and closes all artifacts with itself. */
export interface LazyGitLab extends AsyncDisposable {
  findJob: (query: JobQuery) => Promise<FoundJob>;
  openArtifact: (job: FoundJob) => Promise<JobArtifact>;
  locateArtifact: (query: JobQuery) => Promise<LocatedArtifact>;
}

/** Connects to this job's GitLab when the first question is asked. */
export function lazyGitLab(options: GitLabConnectionOptions, context: Context): LazyGitLab {
  const { signal } = context;
  const closing: (() => PromiseLike<unknown>)[] = [];
  let connecting: Promise<GitLab> | undefined;
  const connect = async (): Promise<GitLab> => {
    const { openGitLab } = await import('./gitlab.ts');
    const opened = await openGitLab(options, context);
    closing.push(() => opened[Symbol.asyncDispose]());
    return opened.gitlab;
  };
  const connected = async (): Promise<GitLab> => (connecting ??= connect());
  const kept = (artifact: JobArtifact): JobArtifact => {
    closing.push(() => artifact[Symbol.asyncDispose]());
    return artifact;
  };
  // An archive whose server serves no ranges is downloaded.
  const opening = { signal, temporary: temporaryParent() };
  return {
    findJob: async (query) => (await connected()).findJob(query, { signal }),
    openArtifact: async (job) => kept(await (await connected()).openArtifact(job, opening)),
    locateArtifact: async (query) => {
      const found = await (await connected()).locateArtifact(query, opening);
      kept(found.artifact);
      return found;
    },
    [Symbol.asyncDispose]: async () => {
      for (const end of closing.splice(0).toReversed()) await end();
    },
  };
}

/** The address of this job's GitLab, as layouts record it: without a slash at the end. */
export function serverOf({ env }: Pick<Context, 'env'>): string {
  return (env['CI_API_V4_URL'] ?? '').replace(/\/+$/, '').replace(/\/api\/v4$/, '');
}

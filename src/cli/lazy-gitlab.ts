import type { FoundJob, GitLab, JobArtifact, JobQuery, ListedJobs, LocatedArtifact } from '../index.ts';
import type { Context } from './context.ts';
import type { GitLabConnectionOptions, OpenGitLab } from './gitlab.ts';
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
  const closing: (() => Promise<unknown>)[] = [];
  /** Closes what is being opened with this, even if this is closed earlier than that is open. */
  const closesWithThis = <T>(opening: Promise<T>, close: (opened: T) => PromiseLike<unknown>): Promise<T> => {
    closing.push(async () => opening.then(close, () => undefined));
    return opening;
  };
  let connecting: Promise<OpenGitLab> | undefined;
  const connected = async (): Promise<GitLab> => {
    connecting ??= closesWithThis(
      import('./gitlab.ts').then(async ({ openGitLab }) => openGitLab(options, context)),
      (opened) => opened[Symbol.asyncDispose](),
    );
    return (await connecting).gitlab;
  };
  /** The connection is the first: what is still being opened over it fails then, and nobody waits for it. */
  const closeAll = async (): Promise<void> => {
    const close = closing.shift();
    if (close === undefined) return;
    try {
      await close();
    } finally {
      await closeAll();
    }
  };
  // An archive whose server serves no ranges is downloaded.
  const opening = { signal, temporary: temporaryParent() };
  const listed: ListedJobs = new Map();
  return {
    findJob: async (query) => (await connected()).findJob(query, { signal, listed }),
    openArtifact: async (job) =>
      closesWithThis(
        connected().then(async (gitlab) => gitlab.openArtifact(job, opening)),
        (artifact) => artifact[Symbol.asyncDispose](),
      ),
    locateArtifact: async (query) =>
      closesWithThis(
        connected().then(async (gitlab) => gitlab.locateArtifact(query, { ...opening, listed })),
        ({ artifact }) => artifact[Symbol.asyncDispose](),
      ),
    [Symbol.asyncDispose]: closeAll,
  };
}

/** The address of this job's GitLab, as layouts record it: without a slash at the end. */
export function serverOf({ env }: Pick<Context, 'env'>): string {
  return (env['CI_API_V4_URL'] ?? '').replace(/\/+$/, '').replace(/\/api\/v4$/, '');
}

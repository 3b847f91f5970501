import type {
  FoundJob,
  GitLabOptions,
  HttpDispatcher,
  JobArtifact,
  JobQuery,
  LocatedArtifact,
} from '../index.ts';
import { DrayageError, GitLab } from '../index.ts';
import type { Context } from './context.ts';
import { openConnections } from './http.ts';
import { temporaryParent } from './temporary-folder.ts';

/** The options that say how to reach GitLab and its storage. */
export interface GitLabConnectionOptions {
  ca?: string;
  plainHttp?: string[];
  registries?: string[];
}

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
    const connections = await openConnections(options.ca, context);
    closing.push(() => connections[Symbol.asyncDispose]());
    const gitlab = connectGitLab(connections.dispatcher, context, {
      plainHttp: new Set(options.plainHttp),
      storage: new Set(options.registries),
    });
    closing.push(() => gitlab[Symbol.asyncDispose]());
    return gitlab;
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

/**
 * The GitLab instance of this job, or of these variables.
 * @throws {@link DrayageError} `USAGE`
 */
export function connectGitLab(
  dispatcher: HttpDispatcher,
  { env, idleTimeout }: Pick<Context, 'env' | 'idleTimeout'>,
  options: Pick<GitLabOptions, 'plainHttp' | 'storage' | 'retry' | 'idleTimeout'> = {},
): GitLab {
  const url = env['CI_API_V4_URL'];
  if (!url) {
    throw new DrayageError('USAGE', 'no GitLab instance given: CI_API_V4_URL is not set', {
      hint: 'every job has it; elsewhere set it to https://<host>/api/v4',
    });
  }
  return new GitLab({
    idleTimeout,
    ...options,
    url,
    jobToken: env['CI_JOB_TOKEN'] || undefined,
    token: env['DRAYAGE_GITLAB_TOKEN'] || undefined,
    dispatcher,
  });
}

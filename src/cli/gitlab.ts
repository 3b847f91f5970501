import type { GitLabOptions, HttpDispatcher } from '../index.ts';
import { DrayageError, GitLab } from '../index.ts';
import type { Context } from './context.ts';
import { openConnections } from './http.ts';

/** The options that say how to reach GitLab and its storage. */
export interface GitLabConnectionOptions {
  ca?: string;
  plainHttp?: string[];
  registries?: string[];
}

/** This job's GitLab, until it is closed. */
export interface OpenGitLab extends AsyncDisposable {
  gitlab: GitLab;
}

/**
 * Connects to this job's GitLab.
 * @throws {@link DrayageError} `USAGE`; errors of certificates
 */
export async function openGitLab(options: GitLabConnectionOptions, context: Context): Promise<OpenGitLab> {
  const connections = await openConnections(options.ca, context);
  try {
    const gitlab = connectGitLab(connections.dispatcher, context, {
      plainHttp: new Set(options.plainHttp),
      storage: new Set(options.registries),
    });
    const close = async (): Promise<void> => {
      try {
        await gitlab[Symbol.asyncDispose]();
      } finally {
        await connections[Symbol.asyncDispose]();
      }
    };
    return { gitlab, [Symbol.asyncDispose]: close };
  } catch (error) {
    await connections[Symbol.asyncDispose]();
    throw error;
  }
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

import type { ContentSource, JobArtifact, JobPlace, OpenJob } from '../index.ts';
import { DrayageError } from '../index.ts';
import type { Context } from './context.ts';
import type { GitLabConnectionOptions } from './gitlab.ts';
import type { LazyGitLab } from './lazy-gitlab.ts';
import { lazyGitLab, serverOf } from './lazy-gitlab.ts';

/** Artifacts of earlier jobs on this job's GitLab. None is asked before it is needed. */
export interface Artifacts extends AsyncDisposable {
  gitlab: LazyGitLab;
  /**
   * The layout in an artifact, which is opened when a blob of it is needed: what is nearer may have all of them, although
   * the artifact is gone. Each artifact is opened once.
   * @throws {@link DrayageError} from the layout also `POLICY` for another server
   */
  openJob: OpenJob;
}

/** Opens the artifacts that layouts name as the places of their omitted layers. */
export function lazyArtifacts(options: GitLabConnectionOptions, context: Context): Artifacts {
  const gitlab = lazyGitLab(options, context);
  const opened = new Map<string, Promise<JobArtifact>>();
  const layoutOf = async (place: JobPlace): Promise<ContentSource> => {
    const { server, project, job, path } = place;
    if (server !== serverOf(context)) throw otherServer(place);
    const key = `${project} ${job}`;
    const artifact = opened.get(key) ?? gitlab.openArtifact({ kind: 'id', jobId: job, project });
    opened.set(key, artifact);
    const layout = (await artifact).layoutAt(path);
    if (layout !== undefined) return layout;
    throw new DrayageError('NOT_FOUND', `the artifact of job ${job} has no layout ${path}`, { path });
  };
  return {
    gitlab,
    openJob: async (place) => ({
      has: async (descriptor, own) => (await layoutOf(place)).has(descriptor, own),
      open: async (descriptor, own) => (await layoutOf(place)).open(descriptor, own),
      isRemote: async () => true,
    }),
    [Symbol.asyncDispose]: () => gitlab[Symbol.asyncDispose](),
  };
}

function otherServer({ server, job }: JobPlace): DrayageError {
  return new DrayageError('POLICY', `job ${job} is one of ${server}, which is not the GitLab of this job`, {
    reason: 'UNNAMED_HOST',
    name: server,
    hint: 'read it in a job of that server; or complete the layout there: drayage fetch --complete',
  });
}

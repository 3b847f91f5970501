import { tmpdir } from 'node:os';
import type {
  GitLab,
  JobArtifact,
  JobLayout,
  JobPlace,
  JobQuery,
  LocatedArtifact,
  OpenJob,
} from '../index.ts';
import { DrayageError, isDrayageError } from '../index.ts';
import type { Context } from './context.ts';
import { openConnections } from './http.ts';
import { parseAge } from './quantities.ts';
import { connectGitLab } from './sources.ts';

/** The options that name earlier jobs, whose artifacts hold omitted layers. */
export interface BaseJobOptions {
  baseJob?: string[];
  ref?: string[];
  project?: string;
  pipeline?: string;
  keep?: string;
}

interface ConnectionOptions {
  ca?: string;
  plainHttp?: string[];
}

/** How long a base must still be kept, if `--keep` does not say. */
const KEEP = '1d';

type NamedQuery = Exclude<JobQuery, { jobId: string }>;

/** The jobs that options name, in the order in which they are tried. */
function readBaseJobs(options: BaseJobOptions, { env }: Pick<Context, 'env'>): NamedQuery[] {
  const { baseJob = [], pipeline, ref } = options;
  if (baseJob.length === 0) return refuseWithoutBase(options);
  const names = baseJob.filter((name) => name !== 'none');
  if (names.length === 0) return [];
  if (names.length < baseJob.length) throw usage('--base-job none beside another one', 'name either');
  const project = options.project ?? (env['CI_PROJECT_ID'] || undefined);
  if (project === undefined) throw usage('no project of the base job given', 'use --project');
  if (pipeline !== undefined) {
    if (ref !== undefined) throw usage('--pipeline and --ref both given', 'use one of them');
    if (!/^\d{1,20}$/.test(pipeline)) throw usage(`not a pipeline ID: ${pipeline}`, 'use --pipeline ID');
    return names.map((name) => ({ name, project, pipeline }));
  }
  const refs = ref ?? [env['CI_DEFAULT_BRANCH'] ?? ''].filter((text) => text !== '');
  if (refs.length === 0) throw usage('no branch of the base job given', 'use --ref or --pipeline');
  return names.flatMap((name) => refs.map((one) => ({ name, project, ref: one })));
}

/** Artifacts of earlier jobs on this job's GitLab. None is asked before it is needed. */
export interface Artifacts extends AsyncDisposable {
  gitlab: () => Promise<GitLab>;
  /**
   * Opens the layout in an artifact. Each artifact is opened once.
   * @throws {@link DrayageError} also `POLICY` for another server
   */
  openJob: OpenJob;
}

/** Connects to this job's GitLab when the first artifact is needed. */
export function lazyArtifacts(options: ConnectionOptions, context: Context): Artifacts {
  const closing: (() => PromiseLike<unknown>)[] = [];
  const opened = new Map<string, Promise<JobArtifact>>();
  let connected: Promise<GitLab> | undefined;
  const connect = async (): Promise<GitLab> => {
    const connections = await openConnections(options.ca, context);
    closing.push(() => connections[Symbol.asyncDispose]());
    const gitlab = connectGitLab(connections.dispatcher, context, { plainHttp: new Set(options.plainHttp) });
    closing.push(() => gitlab[Symbol.asyncDispose]());
    return gitlab;
  };
  const gitlab = async (): Promise<GitLab> => (connected ??= connect());
  const open = async (jobId: string, project: string): Promise<JobArtifact> => {
    const found = { kind: 'id' as const, jobId, project };
    const artifact = await (
      await gitlab()
    ).openArtifact(found, { signal: context.signal, temporary: tmpdir() });
    closing.push(() => artifact[Symbol.asyncDispose]());
    return artifact;
  };
  return {
    gitlab,
    openJob: async (place) => {
      const { server, project, job, path } = place;
      if (server !== serverOf(context.env)) throw otherServer(place);
      const key = `${project} ${job}`;
      const artifact = opened.get(key) ?? open(job, project);
      opened.set(key, artifact);
      const layout = (await artifact).layoutAt(path);
      if (layout !== undefined) return layout;
      throw new DrayageError('NOT_FOUND', `the artifact of job ${job} has no layout ${path}`, { path });
    },
    [Symbol.asyncDispose]: async () => {
      for (const end of closing.splice(0).toReversed()) await end();
    },
  };
}

/** Layouts of base jobs, open until they are closed. */
export interface BaseJobs extends AsyncDisposable {
  layouts: JobLayout[];
}

/**
 * Opens the artifacts of the base jobs. One that cannot be used is told and passed over: it only saves bytes.
 * @throws {@link DrayageError} `USAGE`
 */
export async function openBaseJobs(
  options: BaseJobOptions,
  artifacts: Artifacts,
  context: Context,
): Promise<BaseJobs> {
  const queries = readBaseJobs(options, context);
  const keep = parseAge(options.keep ?? KEEP, 'a time');
  const opened: LocatedArtifact[] = [];
  const layouts: JobLayout[] = [];
  const onNote = (message: string): void => context.onProgress({ kind: 'note', message });
  for (const query of queries) {
    const what =
      'ref' in query
        ? `job ${query.name} of ${query.ref}`
        : `job ${query.name} of pipeline ${query.pipeline}`;
    try {
      const found = await (
        await artifacts.gitlab()
      ).locateArtifact(query, {
        signal: context.signal,
        temporary: tmpdir(),
      });
      opened.push(found);
      if (found.expires === undefined)
        onNote(`base ${what}: GitLab does not say until when its artifact is kept`);
      else if (Date.parse(found.expires) < Date.now() + keep) {
        onNote(
          `base ${what} is not used: its artifact expires at ${found.expires}, before this one; --keep says how long this one is needed`,
        );
        continue;
      }
      layouts.push(...layoutsOf(found, query.project, context.env));
    } catch (error) {
      if (!isDrayageError(error) || error.code === 'USAGE') throw error;
      onNote(`base ${what} is not used: ${error.message}`);
    }
  }
  return {
    layouts,
    [Symbol.asyncDispose]: async () => {
      for (const { artifact } of opened) await artifact[Symbol.asyncDispose]();
    },
  };
}

function layoutsOf(
  { artifact, jobId, expires }: LocatedArtifact,
  project: string,
  env: Context['env'],
): JobLayout[] {
  const server = serverOf(env);
  return artifact.layouts.map((layout) => ({
    place: layout.over(layout),
    at: { server, project, job: jobId, path: layout.folder, expires },
  }));
}

/** The address of this job's GitLab, as layouts record it. */
function serverOf(env: Context['env']): string {
  return (env['CI_API_V4_URL'] ?? '').replace(/\/+$/, '').replace(/\/api\/v4$/, '');
}

function otherServer({ server, job }: JobPlace): DrayageError {
  return new DrayageError('POLICY', `job ${job} is one of ${server}, which is not the GitLab of this job`, {
    reason: 'UNNAMED_HOST',
    name: server,
    hint: 'read it in a job of that server; or complete the layout there: drayage fetch --complete',
  });
}

/** Refuses options that would be ignored. */
function refuseWithoutBase({ ref, project, pipeline, keep }: BaseJobOptions): [] {
  const [option] =
    Object.entries({ ref, project, pipeline, keep }).find(([, value]) => value !== undefined) ?? [];
  if (option === undefined) return [];
  throw usage(`--${option} has no meaning without a base job`, 'use --base-job');
}

function usage(message: string, hint: string): DrayageError {
  return new DrayageError('USAGE', message, { hint });
}

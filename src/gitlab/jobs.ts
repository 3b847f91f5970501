import * as v from 'valibot';
import type { ContentOptions } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import { optional, parserOf } from '../oci/parse.ts';
import type { TokenKind, GitLabApi } from './api.ts';
import { shellWords } from '../text/shell-word.ts';

/** Which job's artifact is wanted. */
export type JobQuery =
  /** By its ID. The project is needed if the runner's own route fails. */
  | { jobId: string; project?: string | undefined }
  /** By its name in a pipeline: the latest job of that name. */
  | { name: string; project: string; pipeline: string }
  /** By its name in the latest successful pipeline of a branch or tag, whichever that is at the moment. */
  | { name: string; project: string; ref: string };

/** A job whose artifact can be requested. */
export type FoundJob =
  | { kind: 'id'; jobId: string; project: string | undefined }
  | { kind: 'ref'; name: string; project: string; ref: string };

/** Why there may be no artifact. */
export const NO_ARTIFACT: string =
  'the usual causes: artifacts:paths does not name the layout, the job failed before it saved, or the artifact has expired (expire_in) or was deleted';

/** A job of a pipeline, as GitLab lists it. */
export interface ListedJob {
  id: number;
  name: string;
  status: string;
  artifacts_file?: { filename?: string | undefined } | undefined;
  artifacts_expire_at?: string | undefined;
}

/** The jobs of pipelines, by the path of their list. */
export type ListedJobs = Map<string, readonly ListedJob[]>;

/** Options of {@link GitLab.findJob}. */
export interface FindJobOptions extends ContentOptions {
  /** What earlier questions listed. It receives what this one lists. Default: each question lists the jobs. */
  listed?: ListedJobs | undefined;
}

const jobsSchema = v.array(
  v.object({
    id: v.pipe(v.number(), v.safeInteger()),
    name: v.string(),
    status: v.string(),
    artifacts_file: optional(v.object({ filename: optional(v.string()) })),
    artifacts_expire_at: optional(v.string()),
  }),
);

/** A project in a path: its ID, or its full path with the slashes encoded. */
export function projectPath(project: string): string {
  return `projects/${encodeURIComponent(project)}`;
}

/**
 * Finds the job whose artifact is wanted.
 * @throws {@link DrayageError} `NOT_FOUND` if the pipeline has no such job, or the job has no artifact; `UNREACHABLE`
 * if no token may list the jobs; `AMBIGUOUS` if only parallel jobs have the name
 */
export async function findJob(
  api: GitLabApi,
  query: JobQuery,
  { listed, ...options }: FindJobOptions = {},
): Promise<FoundJob> {
  if ('jobId' in query) return { kind: 'id', jobId: query.jobId, project: query.project };
  if ('ref' in query) return { kind: 'ref', ...query };
  const { name, project, pipeline } = query;
  const path = `${projectPath(project)}/pipelines/${encodeURIComponent(pipeline)}/jobs`;
  const jobs = listed?.get(path) ?? (await listJobs(api, path, { ...options, name }));
  listed?.set(path, jobs);
  const job = latest(jobs.filter((candidate) => candidate.name === name));
  if (job === undefined) throw noSuchJob(name, pipeline, jobs);
  assertHasArtifact(job, pipeline);
  return { kind: 'id', jobId: String(job.id), project };
}

/** Tries the job token first, which older GitLab does not accept here, then the other token. */
async function listJobs(
  api: GitLabApi,
  path: string,
  options: ContentOptions & { name: string },
): Promise<ListedJob[]> {
  let refused: DrayageError | undefined;
  for (const as of ['jobToken', 'token'] satisfies TokenKind[]) {
    if (!api.has(as)) continue;
    try {
      return await api.pages(parserOf(jobsSchema), { path, as }, options);
    } catch (error) {
      const isRefusal = isDrayageError(error) && [401, 403, 404].includes(error.facts.status ?? 0);
      if (!isRefusal) throw error;
      refused = error;
    }
  }
  throw new DrayageError('DENIED', `job ${options.name} cannot be looked up in its pipeline`, {
    ...refused?.facts,
    ...(refused && { cause: refused }),
    reason: api.has('token') ? 'TOKEN_CANNOT_LIST' : 'JOB_TOKEN_CANNOT_LIST',
    hint: `let the job say needs: [${options.name}], so that the runner restores the layout`,
  });
}

function latest(jobs: readonly ListedJob[]): ListedJob | undefined {
  return jobs.toSorted((a, b) => b.id - a.id)[0];
}

function assertHasArtifact(job: ListedJob, pipeline: string): void {
  if (job.artifacts_file !== undefined) return;
  const what = `job ${job.name} (${job.id}) of pipeline ${pipeline}`;
  if (['created', 'pending', 'running', 'manual', 'scheduled', 'waiting_for_resource'].includes(job.status)) {
    throw new DrayageError('NOT_FOUND', `${what} is ${job.status}: it has no artifact yet`, {
      hint: `let this job wait for it: needs: [{job: ${JSON.stringify(job.name)}, artifacts: false}]`,
    });
  }
  const { artifacts_expire_at: expiry } = job;
  const expired = expiry === undefined ? '' : `; it was kept until ${expiry.slice(0, 40)}`;
  throw new DrayageError('NOT_FOUND', `${what} has no artifact${expired}`, { hint: NO_ARTIFACT });
}

function noSuchJob(name: string, pipeline: string, jobs: readonly ListedJob[]): DrayageError {
  const names = [...new Set(jobs.map((job) => job.name))].toSorted();
  const parallel = names.filter((other) => isOneOf(name, other));
  if (parallel.length > 0) {
    return new DrayageError(
      'AMBIGUOUS',
      `job ${name} runs in parallel in pipeline ${pipeline}, as ${parallel.slice(0, 10).join(', ')}`,
      {
        candidates: parallel.slice(0, 50),
        reason: 'JOB_CHOICE',
        hint: `choose one, such as ${shellWords(parallel.slice(0, 1))}`,
      },
    );
  }
  return new DrayageError('NOT_FOUND', `pipeline ${pipeline} has no job ${JSON.stringify(name)}`, {
    candidates: names.slice(0, 50),
    hint: names.length === 0 ? 'it has no jobs at all' : `its jobs are ${shellWords(names.slice(0, 10))}`,
  });
}

/** Whether a job is one that `parallel` or a matrix makes of `name`: `name 1/3`, `name: [a, b]`. */
function isOneOf(name: string, job: string): boolean {
  return job.startsWith(name) && /^(?: \d+\/\d+|: \[.*\])$/s.test(job.slice(name.length));
}

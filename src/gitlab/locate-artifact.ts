import * as v from 'valibot';
import { parserOf } from '../oci/parse.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import type { ContentOptions } from '../content/source.ts';
import type { GitLabApi, TokenKind } from './api.ts';
import type { JobArtifact, OpenArtifactOptions } from './artifact.ts';
import { openArtifact } from './artifact.ts';
import type { FindJobOptions, JobQuery } from './jobs.ts';
import { findJob, projectPath } from './jobs.ts';

/** A job's artifact, and where others find it. */
export interface LocatedArtifact {
  artifact: JobArtifact;
  /** The project of the job, as it was named; undefined if it was not. */
  project: string | undefined;
  jobId: string;
  /** When the artifact expires, as ISO 8601; null if never, undefined if GitLab does not tell. */
  expires: string | null | undefined;
}

/** How many IDs are tried for a job that a branch names. */
const MAX_TRIED = 3;

const jobSchema = v.looseObject({ artifacts_expire_at: v.optional(v.nullable(v.string())) });

/**
 * Opens the artifact of a job by its ID. GitLab does not tell job tokens which job the latest of a branch is. But
 * layouts are in folders that are called as their jobs: the job whose artifact has the same files is the one.
 * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `UNREACHABLE`, `TIMEOUT`, `UNSUPPORTED`
 */
export async function locateArtifact(
  api: GitLabApi,
  query: JobQuery,
  { listed, ...options }: OpenArtifactOptions & FindJobOptions = {},
): Promise<LocatedArtifact> {
  const job = await findJob(api, query, { listed, ...options });
  const artifact = await openArtifact(api, job, options);
  if (job.kind === 'id') return located(api, artifact, job.jobId, job.project, options);
  try {
    const ids = artifact.layouts.flatMap(({ folder }) => /^\.drayage\/(\d{1,20})$/.exec(folder)?.[1] ?? []);
    for (const jobId of ids.toSorted((a, b) => Number(b) - Number(a)).slice(0, MAX_TRIED)) {
      const same = await openSame(api, artifact, { jobId, project: job.project }, options);
      if (same !== undefined) return await located(api, same, jobId, job.project, options);
    }
  } finally {
    await artifact[Symbol.asyncDispose]();
  }
  throw new DrayageError('UNSUPPORTED', `the ID of job ${job.name} of ${job.ref} cannot be determined`, {
    hint: 'let it save into .drayage/$CI_JOB_ID; or name its pipeline',
  });
}

async function openSame(
  api: GitLabApi,
  artifact: JobArtifact,
  { jobId, project }: { jobId: string; project: string },
  options: OpenArtifactOptions,
): Promise<JobArtifact | undefined> {
  try {
    const other = await openArtifact(api, { kind: 'id', jobId, project }, options);
    if (other.hasSameFiles(artifact)) return other;
    await other[Symbol.asyncDispose]();
  } catch (error) {
    if (!isDrayageError(error, 'NOT_FOUND')) throw error;
  }
  return undefined;
}

async function located(
  api: GitLabApi,
  artifact: JobArtifact,
  jobId: string,
  project: string | undefined,
  options: ContentOptions,
): Promise<LocatedArtifact> {
  try {
    const expires = project === undefined ? undefined : await expiryOf(api, project, jobId, options);
    return { artifact, project, jobId, expires };
  } catch (error) {
    await artifact[Symbol.asyncDispose]();
    throw error;
  }
}

async function expiryOf(
  api: GitLabApi,
  project: string,
  jobId: string,
  options: ContentOptions,
): Promise<LocatedArtifact['expires']> {
  for (const as of ['token', 'jobToken'] satisfies TokenKind[]) {
    if (!api.has(as)) continue;
    try {
      const path = `${projectPath(project)}/jobs/${jobId}`;
      const { value } = await api.json(parserOf(jobSchema), { path, as }, options);
      const time = value.artifacts_expire_at;
      if (time === null || time === undefined) return time;
      return Number.isNaN(Date.parse(time)) ? undefined : new Date(time).toISOString();
    } catch (error) {
      if (!isDrayageError(error) || ![401, 403, 404].includes(error.facts.status ?? 0)) throw error;
    }
  }
  return undefined;
}

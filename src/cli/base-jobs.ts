import type { ErrorFacts, JobLayout, JobQuery, LocatedArtifact } from '../index.ts';
import { DrayageError, isDrayageError } from '../index.ts';
import type { Artifacts } from './artifacts.ts';
import type { Context } from './context.ts';
import { serverOf } from './lazy-gitlab.ts';
import { onlyMeaningful } from './meaning.ts';
import { parseAge } from './quantities.ts';

/** The options that name earlier jobs, whose artifacts hold omitted layers. */
export interface BaseJobOptions {
  baseJob?: string[];
  ref?: string[];
  project?: string;
  pipeline?: string;
}

/** Those of a save, which also decides whether a base is kept long enough. */
export interface OmitJobOptions extends BaseJobOptions {
  keep?: string;
}

/** Those of a command whose `--ref` is about another job. */
export interface TrustedJobOptions extends BaseJobOptions {
  baseRef?: string[];
}

/** How long a base must still be kept, if `--keep` does not say. */
const KEEP = '1d';

type NamedQuery = Exclude<JobQuery, { jobId: string }>;

/**
 * Opens the artifacts of the base jobs for a save. One that cannot be used, or expires too early, is told and passed
 * over: it only saves bytes.
 * @throws {@link DrayageError} `USAGE`
 */
export async function openBaseJobs(
  options: OmitJobOptions,
  artifacts: Artifacts,
  context: Context,
): Promise<JobLayout[]> {
  const queries = readBaseJobs(options, context);
  const keep = parseAge(options.keep ?? KEEP, 'a time');
  // `--keep 0m` takes what is there now: GitLab keeps some artifacts beyond their expiry.
  const neededUntil = keep === 0 ? undefined : new Date(Date.now() + keep);
  const layouts = await openAll(queries, artifacts, context, ({ expires }, what) => {
    if (expires === null) return true;
    if (expires === undefined) {
      note(context, `base ${what}: GitLab does not say until when its artifact is kept`);
      return true;
    }
    if (neededUntil === undefined || Date.parse(expires) >= neededUntil.getTime()) return true;
    const why = `GitLab may delete its artifact from ${expires} on, before this one`;
    note(context, `base ${what} is not used: ${why}`, { reason: 'BASE_EXPIRES' });
    return false;
  });
  // What such a layout omits itself is in other artifacts, which may expire earlier.
  return layouts.map((layout) => ({ ...layout, neededUntil }));
}

/**
 * Opens the artifacts of base jobs whose word is taken for layers that a layout omits. One that cannot be used is told
 * and passed over: then its layers are read.
 * @throws {@link DrayageError} `USAGE`
 */
export async function openTrustedJobs(
  options: TrustedJobOptions,
  artifacts: Artifacts,
  context: Context,
): Promise<JobLayout[]> {
  return openAll(readBaseJobs(options, context), artifacts, context, () => true);
}

async function openAll(
  queries: readonly NamedQuery[],
  { gitlab }: Artifacts,
  context: Context,
  mayUse: (found: LocatedArtifact, what: string) => boolean,
): Promise<JobLayout[]> {
  const layouts: JobLayout[] = [];
  for (const query of queries) {
    const { name } = query;
    const what = 'ref' in query ? `job ${name} of ${query.ref}` : `job ${name} of pipeline ${query.pipeline}`;
    try {
      const found = await gitlab.locateArtifact(query);
      if (mayUse(found, what)) layouts.push(...layoutsOf(found, query.project, context));
    } catch (error) {
      if (!isDrayageError(error) || error.code === 'USAGE') throw error;
      note(context, `base ${what} is not used: ${error.message}`, error.facts);
    }
  }
  return layouts;
}

/** The jobs that options name, in the order in which they are tried. */
function readBaseJobs(
  options: OmitJobOptions & TrustedJobOptions,
  { env }: Pick<Context, 'env'>,
): NamedQuery[] {
  const { baseJob = [], pipeline, ref = options.baseRef } = options;
  if (baseJob.length === 0) {
    const names = ['ref', 'baseRef', 'project', 'pipeline', 'keep'] as const;
    onlyMeaningful(options, names, 'without a base job', 'use --base-job');
    return [];
  }
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

function layoutsOf(
  { artifact, jobId, expires }: LocatedArtifact,
  project: string,
  context: Context,
): JobLayout[] {
  const server = serverOf(context);
  return artifact.layouts.map((layout) => ({
    place: layout.over(layout),
    at: { server, project, job: jobId, path: layout.folder, expires: expires ?? undefined },
  }));
}

/** A line, with what to do about it. */
function note(
  { onProgress }: Context,
  message: string,
  { reason, hint }: Pick<ErrorFacts, 'reason' | 'hint'> = {},
): void {
  onProgress({ kind: 'note', message, reason, hint });
}

function usage(message: string, hint: string): DrayageError {
  return new DrayageError('USAGE', message, { hint });
}

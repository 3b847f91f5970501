import type { JobQuery } from '../index.ts';
import { DrayageError } from '../index.ts';
import type { Context } from './context.ts';

/** The options that say which job's artifact is meant. */
export interface JobOptions {
  job?: string;
  jobId?: string;
  project?: string;
  pipeline?: string;
  ref?: string;
}

/**
 * Which job is meant: by default one of this pipeline. Undefined where no job was named.
 * @throws {@link DrayageError} `USAGE`
 */
export function readJobQuery(options: JobOptions, { env }: Pick<Context, 'env'>): JobQuery | undefined {
  const { job: name, jobId, ref } = options;
  const project = options.project ?? (env['CI_PROJECT_ID'] || undefined);
  if (jobId !== undefined) {
    if (!/^\d{1,20}$/.test(jobId)) throw usage(`not a job ID: ${jobId}`, 'CI_JOB_ID is one');
    return { jobId, project };
  }
  if (name === undefined) return refuseWithoutJob(options);
  if (project === undefined) throw usage('of which project?', 'name it by --project');
  if (ref !== undefined) return { name, project, ref };
  const isOwn = [undefined, env['CI_PROJECT_ID'], env['CI_PROJECT_PATH']].includes(options.project);
  const pipeline = options.pipeline ?? (isOwn ? env['CI_PIPELINE_ID'] || undefined : undefined);
  if (pipeline !== undefined && /^\d{1,20}$/.test(pipeline)) return { name, project, pipeline };
  throw usage(
    pipeline === undefined ? `in which pipeline of project ${project}?` : `not a pipeline ID: ${pipeline}`,
    'name it by --pipeline; or --ref takes the latest successful pipeline of a branch or tag; or --job-id one job',
  );
}

/** What would be ignored is refused. */
function refuseWithoutJob({ project, pipeline, ref }: JobOptions): undefined {
  const [option] = Object.entries({ project, pipeline, ref }).find(([, value]) => value !== undefined) ?? [];
  if (option !== undefined)
    throw usage(`--${option} has no meaning without a job`, 'name it by --job or --job-id');
}

function usage(message: string, hint: string): Error {
  return new DrayageError('USAGE', message, { hint });
}

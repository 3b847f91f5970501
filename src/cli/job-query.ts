import type { JobQuery } from '../index.ts';
import { DrayageError } from '../index.ts';
import type { Context } from './context.ts';
import { onlyMeaningful } from './meaning.ts';

/** The options that select a job's artifact. */
export interface JobOptions {
  job?: string;
  jobId?: string;
  project?: string;
  pipeline?: string;
  ref?: string;
}

/**
 * The selected job: by default of this pipeline. Undefined if no job was named.
 * @throws {@link DrayageError} `USAGE`
 */
export function readJobQuery(options: JobOptions, { env }: Pick<Context, 'env'>): JobQuery | undefined {
  const { job: name, jobId, ref } = options;
  const project = options.project ?? (env['CI_PROJECT_ID'] || undefined);
  if (jobId !== undefined) {
    if (!/^\d{1,20}$/.test(jobId)) throw usage(`not a job ID: ${jobId}`, 'an example is CI_JOB_ID');
    return { jobId, project };
  }
  if (name === undefined) {
    onlyMeaningful(options, ['project', 'pipeline', 'ref'], 'without a job', 'use --job or --job-id');
    return undefined;
  }
  if (project === undefined) throw usage('no project given', 'use --project');
  if (ref !== undefined) return { name, project, ref };
  const isOwn = isOwnProject(options.project, env);
  const pipeline = options.pipeline ?? (isOwn ? env['CI_PIPELINE_ID'] || undefined : undefined);
  if (pipeline !== undefined && /^\d{1,20}$/.test(pipeline)) return { name, project, pipeline };
  throw usage(
    pipeline === undefined ? `no pipeline of project ${project} given` : `not a pipeline ID: ${pipeline}`,
    'use --pipeline; or --ref for the latest successful pipeline of a branch or tag; or --job-id for one job',
  );
}

/** Whether a project, by its ID or path, is this job's own; without one it is. */
export function isOwnProject(project: string | undefined, env: Context['env']): boolean {
  return [undefined, env['CI_PROJECT_ID'], env['CI_PROJECT_PATH']].includes(project);
}

function usage(message: string, hint: string): Error {
  return new DrayageError('USAGE', message, { hint });
}

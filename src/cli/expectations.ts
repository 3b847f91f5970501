import type { Expectations, GitLabJob, ImagePolicy } from '../index.ts';
import { DrayageError, expectationsOf, originPolicy, readGitLabJob } from '../index.ts';
import type { Context } from './context.ts';
import type { JobOptions } from './job-query.ts';

/** The options that say where images have to come from. */
export interface ExpectOptions extends JobOptions {
  expect?: string[];
}

/**
 * What is expected of images: inside a GitLab job, that they come from its pipeline and commit, unless the options name
 * another one. Outside, what `--expect` says; without it, undefined.
 * @throws {@link DrayageError} `USAGE`
 */
export function readPolicy(options: ExpectOptions, { env }: Pick<Context, 'env'>): ImagePolicy | undefined {
  const job = readGitLabJob(env);
  if (job === undefined && options.expect === undefined) return undefined;
  return originPolicy(readExpectations(job, options, env));
}

/**
 * What is expected, for each key.
 * @param job whose pipeline and commit are expected unless the options say otherwise
 * @throws {@link DrayageError} `USAGE`
 */
function readExpectations(
  job: GitLabJob | undefined,
  options: ExpectOptions,
  env: Context['env'],
): Expectations {
  const given = (options.expect ?? []).flatMap(splitExpectations);
  return expectationsOf(job, [...byQuery(options, env), ...given]);
}

/**
 * What signatures are held against. Who names a job by option means that one, and nothing is dropped without a word.
 * @param job whose project, commit and pipeline are expected unless the options say otherwise
 * @throws {@link DrayageError} `USAGE`
 */
export function readSignatureExpectations(
  job: GitLabJob | undefined,
  options: ExpectOptions,
  env: Context['env'],
): Expectations {
  const given = (options.expect ?? []).flatMap(splitExpectations);
  if (job !== undefined && given.includes('none')) {
    throw new DrayageError('USAGE', '--expect none drops all that --expect-signed asks for', {
      hint: 'say what is not expected by its key: --expect commit=any; DRAYAGE_EXPECT counts, too',
    });
  }
  return expectationsOf(job, [...namedJob(options, env), ...given]);
}

/** The job that the options name, as a signature says it. */
function namedJob({ job, jobId, project, pipeline, ref }: JobOptions, env: Context['env']): string[] {
  const isOther = project !== undefined && ![env['CI_PROJECT_PATH'], env['CI_PROJECT_ID']].includes(project);
  if (isOther && !project.includes('/')) {
    throw new DrayageError('USAGE', `signatures name projects by their path, not by ID: ${project}`, {
      hint: '--project group/name',
    });
  }
  const isOtherPipeline = isOther || jobId !== undefined || pipeline !== undefined || ref !== undefined;
  return [
    ...(isOther ? [`project=${project}`] : []),
    ...(isOtherPipeline ? ['commit=any', `pipeline=${pipeline ?? 'any'}`] : []),
    ...(jobId === undefined ? [] : [`job-id=${jobId}`]),
    ...(job === undefined ? [] : [`job=${job}`]),
    ...(ref === undefined ? [] : [`ref=${ref}`]),
  ];
}

/** Who names another project, pipeline or job means that one: the artifact API is asked for just it. */
function byQuery({ job, jobId, project, pipeline, ref }: JobOptions, env: Context['env']): string[] {
  if (jobId !== undefined) return ['none'];
  if (job === undefined) return [];
  const isOther = project !== undefined && ![env['CI_PROJECT_PATH'], env['CI_PROJECT_ID']].includes(project);
  const elsewhere = isOther || pipeline !== undefined || ref !== undefined;
  return [
    ...(isOther ? ['project=any'] : []),
    ...(elsewhere ? [`pipeline=${ref === undefined ? (pipeline ?? 'any') : 'any'}`, 'commit=any'] : []),
  ];
}

/** A variable holds several, with spaces between them; a value may hold spaces, too. */
export function splitExpectations(text: string): string[] {
  return text.trim().split(/\s+(?=[a-z-]+=|none(?:\s|$))/);
}

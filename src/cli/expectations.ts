import type { Expectations, GitLabJob, ImagePolicy } from '../index.ts';
import type { Context } from './context.ts';
import type { JobOptions } from './job-query.ts';
import { library } from './library.ts';

/** The options that say where images have to come from. */
export interface ExpectOptions extends JobOptions {
  expect?: string[];
}

/**
 * What is expected of images: inside a GitLab job, that they come from its pipeline and commit, unless the options name
 * another one. Outside, what `--expect` says; without it, undefined.
 * @throws {@link DrayageError} `USAGE`
 */
export async function readPolicy(
  options: ExpectOptions,
  { env }: Pick<Context, 'env'>,
): Promise<ImagePolicy | undefined> {
  const { originPolicy, readGitLabJob } = await library();
  const job = readGitLabJob(env);
  if (job === undefined && options.expect === undefined) return undefined;
  return originPolicy(await readExpectations(job, options, env));
}

/**
 * What is expected, for each key.
 * @param job whose pipeline and commit are expected unless the options say otherwise
 * @throws {@link DrayageError} `USAGE`
 */
export async function readExpectations(
  job: GitLabJob | undefined,
  options: ExpectOptions,
  env: Context['env'],
): Promise<Expectations> {
  const { expectationsOf } = await library();
  const given = (options.expect ?? []).flatMap(splitExpectations);
  return expectationsOf(job, [...byQuery(options, env), ...given]);
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
function splitExpectations(text: string): string[] {
  return text.trim().split(/\s+(?=[a-z-]+=|none(?:\s|$))/);
}

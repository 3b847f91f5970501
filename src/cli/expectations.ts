import type { ImagePolicy } from '../index.ts';
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
  const { expectationsOf, originPolicy, readGitLabJob } = await library();
  const job = readGitLabJob(env);
  const given = (options.expect ?? []).flatMap(splitExpectations);
  if (job === undefined && given.length === 0) return undefined;
  return originPolicy(expectationsOf(job, [...byQuery(options, env), ...given]));
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

import type { ExpectationKey, Expectations, ImagePolicy, Origin } from '../index.ts';
import { DrayageError, expectationsOf, originKeys, originPolicy, signatureKeys } from '../index.ts';
import { readJob } from './ci.ts';
import type { Context } from './context.ts';
import { splitExpectations } from './expectation-text.ts';
import type { JobOptions } from './job-query.ts';
import { isOwnProject } from './job-query.ts';

/** The options for the expected origin of images. */
export interface ExpectOptions extends JobOptions {
  expect?: string[];
}

const KEYS: readonly ExpectationKey[] = [...originKeys, ...signatureKeys];

/** What `none` means: each origin is accepted. */
const ANY_ORIGIN: Expectations = Object.fromEntries(originKeys.map((key) => [key, 'any'] as const));

/**
 * What is expected of images: inside a job, that they come from its pipeline and commit, unless the options name another
 * one. Outside, what `--expect` says; without it, undefined.
 * @throws {@link DrayageError} `USAGE`
 */
export function readPolicy(options: ExpectOptions, { env }: Pick<Context, 'env'>): ImagePolicy | undefined {
  const origin = readJob(env)?.origin;
  if (origin === undefined && options.expect === undefined) return undefined;
  const expected = { ...expectationsOf(origin), ...byQuery(options, env) };
  return originPolicy({ ...expected, ...parseExpectations(options.expect) });
}

/**
 * What signatures are held against. Who names a job by option means that one, and nothing is dropped without a word.
 * @param origin the job whose project, commit and pipeline are expected unless the options say otherwise
 * @throws {@link DrayageError} `USAGE`
 */
export function readSignatureExpectations(
  origin: Origin | undefined,
  options: ExpectOptions,
  env: Context['env'],
): Expectations {
  if (origin !== undefined && options.expect?.flatMap(splitExpectations).includes('none') === true) {
    throw new DrayageError('USAGE', '--expect none drops everything that --expect-signed requires', {
      hint: 'drop single keys: --expect commit=any; DRAYAGE_EXPECT counts, too',
    });
  }
  return { ...expectationsOf(origin), ...namedJob(options, env), ...parseExpectations(options.expect) };
}

/**
 * Reads `KEY=V[,V…]`, `KEY=any` and `none`, each in place of what was expected before.
 * @throws {@link DrayageError} `USAGE`
 */
export function parseExpectations(texts: readonly string[] = []): Expectations {
  let expected: Expectations = {};
  for (const text of texts.flatMap(splitExpectations)) {
    expected = text === 'none' ? ANY_ORIGIN : { ...expected, ...parseOne(text) };
  }
  return expected;
}

/** The job that the options name, as a signature states it. */
function namedJob({ job, jobId, project, pipeline, ref }: JobOptions, env: Context['env']): Expectations {
  const isOther = !isOwnProject(project, env);
  if (isOther && project?.includes('/') !== true) {
    throw new DrayageError('USAGE', `signatures name projects by their path, not by ID: ${project}`, {
      hint: '--project group/name',
    });
  }
  const isOtherPipeline = isOther || jobId !== undefined || pipeline !== undefined || ref !== undefined;
  return {
    ...(isOther && exactly('project', project)),
    ...(isOtherPipeline && { commit: 'any', pipeline: pipeline === undefined ? 'any' : [pipeline] }),
    ...exactly('job-id', jobId),
    ...exactly('job', job),
    ...exactly('ref', ref),
  };
}

/** Options that name another project, pipeline or job expect that one, because the artifact API returns exactly it. */
function byQuery({ job, jobId, project, pipeline, ref }: JobOptions, env: Context['env']): Expectations {
  if (jobId !== undefined) return ANY_ORIGIN;
  if (job === undefined) return {};
  const isOther = !isOwnProject(project, env);
  const isElsewhere = isOther || pipeline !== undefined || ref !== undefined;
  return {
    ...(isOther && { project: 'any' }),
    ...(isElsewhere && {
      pipeline: pipeline === undefined || ref !== undefined ? 'any' : [pipeline],
      commit: 'any',
    }),
  };
}

function exactly(key: ExpectationKey, value: string | undefined): Expectations {
  return value === undefined ? {} : { [key]: [value] };
}

function parseOne(text: string): Expectations {
  const at = text.indexOf('=');
  const key = KEYS.find((one) => one === text.slice(0, at));
  const values = text.slice(at + 1).split(',');
  if (key !== undefined && values.join() === 'any') return { [key]: 'any' };
  if (key !== undefined && !values.includes('') && !values.includes('any')) return { [key]: values };
  throw new DrayageError('USAGE', `no expectation: ${JSON.stringify(text)}`, {
    hint: `use KEY=VALUE[,VALUE], KEY=any or none; keys are ${KEYS.join(', ')}`,
  });
}

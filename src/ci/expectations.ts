import type { Origin } from './origin.ts';
import { originOf } from './origin.ts';

/** Expectations about an image's origin: annotations and signatures are compared. */
export const originKeys = ['server', 'project', 'pipeline', 'commit', 'job', 'job-id', 'ref'] as const;

/** Further expectations about a signature. */
export const signatureKeys = ['runner-environment', 'predicate-type', 'name'] as const;

/** The key of an expectation. */
export type ExpectationKey = (typeof originKeys)[number] | (typeof signatureKeys)[number];

const FACTS: Record<(typeof originKeys)[number], keyof Origin> = {
  server: 'server',
  project: 'projectPath',
  pipeline: 'pipelineId',
  commit: 'commit',
  job: 'jobName',
  'job-id': 'jobId',
  ref: 'ref',
};

/** The accepted values. */
export type Accepted = readonly string[] | 'any';

/** The accepted values for each key. Annotations are hints: for them this guards only against mistakes. */
export type Expectations = Readonly<Partial<Record<ExpectationKey, Accepted>>>;

/** One expectation that an image does not meet. */
export interface Mismatch {
  key: ExpectationKey;
  /** The values that would have been accepted. */
  expected: readonly string[];
  /** The image's value; undefined if it states none. */
  actual: string | undefined;
}

/**
 * The expectations of a job: images come from the same server, project, pipeline and commit. Outside a CI, there are
 * none.
 */
export function expectationsOf(origin: Origin | undefined): Expectations {
  if (origin === undefined) return {};
  const { server, projectPath, pipelineId, commit } = origin;
  return { server: [server], project: [projectPath], pipeline: [pipelineId], commit: [commit] };
}

/** The accepted values for a key; undefined if any is accepted. */
export function acceptedFor(expectations: Expectations, key: ExpectationKey): readonly string[] | undefined {
  const accepted = expectations[key];
  return accepted === 'any' ? undefined : accepted;
}

/** The expectations that these annotations do not meet. */
export function mismatches(
  annotations: Readonly<Record<string, string>>,
  expectations: Expectations,
): Mismatch[] {
  const origin = originOf(annotations);
  return originKeys.flatMap((key) => {
    const [actual, expected] = [origin[FACTS[key]], acceptedFor(expectations, key)];
    const isMet = expected === undefined || (actual !== undefined && expected.includes(actual));
    return isMet ? [] : [{ key, expected, actual }];
  });
}

/** The expectations that would have accepted an image: exactly its values, and no more. */
export function accepting(found: readonly Mismatch[]): Expectations {
  // No value matches a fact that an image does not state.
  return Object.fromEntries(
    found.map(({ key, actual }) => [key, actual === undefined ? 'any' : [actual]] as const),
  );
}

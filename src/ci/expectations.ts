import type { Origin } from './origin.ts';
import { originOf } from './origin.ts';

/** What can be expected of an image's origin: annotations and signatures answer it. */
export const originKeys = ['server', 'project', 'pipeline', 'commit', 'job', 'job-id', 'ref'] as const;

/** What else can be expected of a signature. */
export const signatureKeys = ['runner-environment', 'predicate-type', 'name'] as const;

/** What can be expected of an image. */
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

/** The values that are accepted. */
export type Accepted = readonly string[] | 'any';

/** For each key that counts, what is accepted. Annotations are hints: of them this guards against mistakes only. */
export type Expectations = Readonly<Partial<Record<ExpectationKey, Accepted>>>;

/** One expectation that an image does not meet. */
export interface Mismatch {
  key: ExpectationKey;
  /** The values that would have been accepted. */
  expected: readonly string[];
  /** What the image says; undefined where it says nothing. */
  actual: string | undefined;
}

/** What a job expects of an image: that it comes from the same server, project, pipeline and commit. Outside a CI, nothing. */
export function expectationsOf(origin: Origin | undefined): Expectations {
  if (origin === undefined) return {};
  const { server, projectPath, pipelineId, commit } = origin;
  return { server: [server], project: [projectPath], pipeline: [pipelineId], commit: [commit] };
}

/** The values that are accepted for a key; undefined where each is. */
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

/** The expectations that would have accepted an image in spite of these: exactly what it says, and no more. */
export function accepting(found: readonly Mismatch[]): Expectations {
  // What an image does not say at all, no value can match.
  return Object.fromEntries(
    found.map(({ key, actual }) => [key, actual === undefined ? 'any' : [actual]] as const),
  );
}

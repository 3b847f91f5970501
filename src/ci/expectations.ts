import { DrayageError } from '../errors.ts';
import { GITLAB_PREFIX, REVISION } from '../oci/annotations.ts';
import type { GitLabJob } from './gitlab/job.ts';

/** What may be expected. Of the last three no annotation speaks: they are for signatures. */
export type ExpectationKey =
  | 'server'
  | 'project'
  | 'pipeline'
  | 'commit'
  | 'ref'
  | 'job'
  | 'job-id'
  | 'runner-environment'
  | 'predicate-type'
  | 'name';

/** The annotation that says it; null where none does. */
const ANNOTATION: Record<ExpectationKey, string | null> = {
  server: `${GITLAB_PREFIX}server`,
  project: `${GITLAB_PREFIX}project-path`,
  pipeline: `${GITLAB_PREFIX}pipeline-id`,
  commit: REVISION,
  ref: `${GITLAB_PREFIX}ref`,
  job: `${GITLAB_PREFIX}job-name`,
  'job-id': `${GITLAB_PREFIX}job-id`,
  'runner-environment': null,
  'predicate-type': null,
  name: null,
};

/** For each key that counts, the values that are accepted. Annotations are hints: this guards against mistakes only. */
export type Expectations = ReadonlyMap<ExpectationKey, readonly string[]>;

/** One expectation that an image does not meet. */
export interface Mismatch {
  key: ExpectationKey;
  /** The values that would have been accepted. */
  expected: readonly string[];
  /** What the image says; undefined where it says nothing. */
  actual: string | undefined;
}

/**
 * What a job expects of an image: that it comes from the same server, project, pipeline and commit; nothing outside GitLab.
 * @param overrides each `KEY=V[,V…]` or `KEY=any` replaces that key only; `none` drops all that is expected so far
 * @throws {@link DrayageError} `USAGE`
 */
export function expectationsOf(job: GitLabJob | undefined, overrides: readonly string[] = []): Expectations {
  const expected = new Map<ExpectationKey, readonly string[]>();
  if (job !== undefined) {
    expected.set('server', [job.server]).set('project', [job.projectPath]);
    expected.set('pipeline', [job.pipelineId]).set('commit', [job.commit]);
  }
  for (const text of overrides) {
    if (text === 'none') expected.clear();
    else replace(expected, text);
  }
  return expected;
}

/** The expectations that these annotations do not meet. */
export function mismatches(
  annotations: Readonly<Record<string, string>>,
  expectations: Expectations,
): Mismatch[] {
  return [...expectations].flatMap(([key, expected]) => {
    const annotation = ANNOTATION[key];
    if (annotation === null) return [];
    const actual = annotations[annotation];
    return actual !== undefined && expected.includes(actual) ? [] : [{ key, expected, actual }];
  });
}

/** The expectations that would have accepted an image in spite of these: exactly what it says, and no more. */
export function accepting(found: readonly Mismatch[]): Record<string, string[] | 'any'> {
  // What an image does not say at all, no value can match.
  return Object.fromEntries(found.map(({ key, actual }) => [key, actual === undefined ? 'any' : [actual]]));
}

function replace(expected: Map<ExpectationKey, readonly string[]>, text: string): void {
  const at = text.indexOf('=');
  const key = text.slice(0, at);
  const values = text.slice(at + 1).split(',');
  if (at < 0 || !isKey(key) || values.includes('')) {
    throw new DrayageError('USAGE', `no expectation: ${JSON.stringify(text)}`, {
      hint: `use KEY=VALUE[,VALUE], KEY=any or none; keys are ${Object.keys(ANNOTATION).join(', ')}`,
    });
  }
  // Names have to be signed where nothing is said of them.
  if (values.includes('any') && key !== 'name') expected.delete(key);
  else expected.set(key, values);
}

function isKey(text: string): text is ExpectationKey {
  return Object.hasOwn(ANNOTATION, text);
}

import type { StoredImage } from '../content/image-index.ts';
import type { ImagePolicy } from '../content/policy.ts';
import { DrayageError } from '../errors.ts';
import type { GitLabJob } from './gitlab/job.ts';
import type { ExpectationKey, Expectations } from './expectations.ts';
import { accepting, expectationsOf, mismatches } from './expectations.ts';

/**
 * Accepts the images that a job may sign: none that says that it is of another job, pipeline or commit. Who signs it would vouch
 * for what somebody else has made. What an image does not say is not held against it: other tools than this one say nothing.
 * @param overrides what else is accepted, as those of {@link expectationsOf}: for each key beside the job's own value
 */
export function ownImages(job: GitLabJob, overrides: readonly string[] = []): ImagePolicy {
  const expected = acceptedBy(job, overrides);
  const assertOwn = ({ names, root, annotations }: StoredImage): void => {
    const found = mismatches(annotations, expected).filter(({ actual }) => actual !== undefined);
    const [first] = found;
    if (first === undefined) return;
    const reasons = found.map(
      ({ key, expected: own, actual }) => `its ${key} is ${actual}, not ${own.join(' or ')}`,
    );
    const message = `${names[0] ?? root.digest} was not saved by this job: ${reasons.join('; ')}`;
    throw new DrayageError('POLICY', message, {
      expected: first.expected.join(','),
      actual: first.actual,
      reason: 'OTHER_JOB',
      accepting: accepting(found),
    });
  };
  return {
    choose: (images) => {
      images.forEach(assertOwn);
      return [...images];
    },
    check: assertOwn,
  };
}

/** A job that is told to expect what another one has saved saves images itself, which are its own. */
function acceptedBy(job: GitLabJob, overrides: readonly string[]): Expectations {
  const own = new Map<ExpectationKey, readonly string[]>(expectationsOf(job));
  own.set('ref', [job.ref]).set('job', [job.jobName]).set('job-id', [job.jobId]);
  const told = expectationsOf(job, [`job-id=${job.jobId}`, ...overrides]);
  return new Map([...told].map(([key, values]) => [key, [...new Set([...(own.get(key) ?? []), ...values])]]));
}

import { nameOf } from '../content/image-index.ts';
import type { StoredImage } from '../content/image-index.ts';
import type { ImagePolicy } from '../content/policy.ts';
import { DrayageError } from '../errors.ts';
import type { Expectations } from './expectations.ts';
import { acceptedFor, accepting, originKeys, expectationsOf, mismatches } from './expectations.ts';
import type { Origin } from './origin.ts';
import { SEAL, sealOf } from './seal.ts';

/**
 * Accepts the images that a job may sign. An image that states another job, pipeline or commit is refused, because the
 * signer would vouch for something that it did not make. A fact that an image does not state is not held against it, because other
 * tools state nothing.
 * @param others further accepted values, for each key in addition to the job's own
 * @param secret what only this job knows. If it is given, an image that the job has not sealed is refused, too, unless it states
 * another origin, which `others` accepts: for a folder that may hold what was there before the job. Default: no seal is needed
 */
export function ownImages(origin: Origin, others: Expectations = {}, secret?: string): ImagePolicy {
  const expected = acceptedBy(origin, others);
  const seal = secret === undefined ? undefined : sealOf(origin, secret);
  const assertOwn = (image: StoredImage): void => {
    const found = mismatches(image.annotations, expected).filter(({ actual }) => actual !== undefined);
    const [first] = found;
    if (first === undefined) {
      if (seal !== undefined) assertSealed(image, { origin, seal });
      return;
    }
    const reasons = found.map(
      ({ key, expected: own, actual }) => `its ${key} is ${actual}, not ${own.join(' or ')}`,
    );
    const message = `${nameOf(image)} was not saved by this job: ${reasons.join('; ')}`;
    throw new DrayageError('POLICY', message, {
      reason: 'OTHER_JOB',
      expected: first.expected.join(','),
      actual: first.actual,
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

/** Refuses an image that states no other job, and that this job did not write: its annotations may be anybody's. */
function assertSealed(image: StoredImage, { origin, seal }: { origin: Origin; seal: string }): void {
  const { annotations, names } = image;
  if (annotations[SEAL] === seal) return;
  if (mismatches(annotations, acceptedBy(origin, {})).some(({ actual }) => actual !== undefined)) return;
  const message = `nothing shows that this job saved ${names.join(', ') || nameOf(image)}`;
  throw new DrayageError('POLICY', message, {
    reason: 'UNSEALED',
    hint: 'name the images that this job made',
  });
}

/** A job that expects another job's images also accepts its own. */
function acceptedBy(origin: Origin, others: Expectations): Expectations {
  const { ref, jobName, jobId } = origin;
  const expected = { ...expectationsOf(origin), 'job-id': [jobId] };
  const own: Expectations = { ...expected, ref: [ref], job: [jobName] };
  const told: Expectations = { ...expected, ...others };
  return Object.fromEntries(
    originKeys.flatMap((key) => {
      const accepted = acceptedFor(told, key);
      return accepted === undefined
        ? []
        : [[key, [...new Set([...(acceptedFor(own, key) ?? []), ...accepted])]]];
    }),
  );
}

import { describe, expect, test } from 'vitest';
import type { StoredImage } from '../../src/content/image-index.ts';
import type { Expectations } from '../../src/ci/expectations.ts';
import { originKeys } from '../../src/ci/expectations.ts';
import { readOrigin } from '../../src/ci/gitlab/job.ts';
import { originAnnotations } from '../../src/ci/origin.ts';
import { ownImages } from '../../src/ci/own-images.ts';
import { SEAL } from '../../src/ci/seal.ts';
import { sampleImage } from '../../src/testing/sample-images.ts';
import { SIGNING_JOB, TAKING_JOB } from '../support/gitlab-job.ts';

const { root } = sampleImage(['a']);

/** An image as the job with these variables saves it. */
function savedBy(env: Readonly<Record<string, string>>): StoredImage {
  return { root, names: ['app:1'], annotations: originAnnotations(readOrigin(env)) };
}

const choose = (image: StoredImage, others?: Expectations): unknown =>
  ownImages(readOrigin(SIGNING_JOB), others).choose([image], () => {});

const ANY: Expectations = Object.fromEntries(originKeys.map((key) => [key, 'any'] as const));

test('a job may sign what it has saved, and what does not say who has', () => {
  const image = savedBy(SIGNING_JOB);
  expect(choose(image)).toEqual([image]);
  const bare = { root, names: [], annotations: {} };
  expect(choose(bare)).toEqual([bare]);
});

test.each<[string, Readonly<Record<string, string>>, string, Expectations]>([
  ['another job', TAKING_JOB, 'job-id is 124, not 123', { 'job-id': ['124'] }],
  ['another run of it', { ...SIGNING_JOB, CI_JOB_ID: '122' }, 'job-id is 122', { 'job-id': ['122'] }],
  [
    'a job of another pipeline and commit',
    { ...TAKING_JOB, CI_PIPELINE_ID: '4700', CI_COMMIT_SHA: 'b'.repeat(40) },
    'pipeline is 4700',
    { pipeline: ['4700'], commit: ['b'.repeat(40)], 'job-id': ['124'] },
  ],
])('what %s has saved it may not, unless it is told to', (_, env, why, accepting) => {
  const image = savedBy(env);
  expect(() => choose(image)).toThrow(
    expect.objectContaining({
      code: 'POLICY',
      message: expect.stringContaining(why) as string,
      facts: expect.objectContaining({ reason: 'OTHER_JOB', accepting }) as object,
    }),
  );
  expect(choose(image, accepting)).toEqual([image]);
  expect(choose(image, ANY)).toEqual([image]);
});

test.each<Expectations>([
  { pipeline: ['4700'] },
  { project: ['group/other'], pipeline: ['4700'], commit: 'any' },
  { job: ['base'] },
  { ref: ['next', 'other'] },
  { 'job-id': ['99'] },
  ANY,
  { ...ANY, 'job-id': ['99'] },
])('a job that is told to expect %j of others may sign what it has saved itself', (others) => {
  const image = savedBy(SIGNING_JOB);
  expect(choose(image, others)).toEqual([image]);
});

test('where one of several expectations is not met, nothing is signed', () => {
  const image = savedBy({ ...TAKING_JOB, CI_PIPELINE_ID: '4700' });
  expect(() => choose(image, { pipeline: ['4700', '4699'], 'job-id': ['99'] })).toThrow(
    'its job-id is 124, not 123 or 99',
  );
});

describe('a job that has a secret', () => {
  const SECRET = 'token-123';
  const origin = readOrigin(SIGNING_JOB);
  const sealed = (by: string): StoredImage => ({
    root,
    names: ['app:1', 'app:2'],
    annotations: originAnnotations(origin, by),
  });
  const chooseSealed = (image: StoredImage, others?: Expectations): unknown =>
    ownImages(origin, others, SECRET).choose([image], () => {});

  test('may sign what it has sealed itself', () => {
    const image = sealed(SECRET);
    expect(chooseSealed(image)).toEqual([image]);
    expect(chooseSealed(image, { 'job-id': ['99'] })).toEqual([image]);
  });

  test.each<[string, StoredImage]>([
    ['has no seal', savedBy(SIGNING_JOB)],
    ['has the seal of another secret', sealed('token-122')],
    [
      'has the seal of another job',
      { ...sealed(SECRET), annotations: { ...sealed(SECRET).annotations, ...seal('122') } },
    ],
    ['states nothing', { root, names: [], annotations: {} }],
  ])('may not sign what %s, whatever it expects of others', (_, image) => {
    for (const others of [undefined, ANY, { 'job-id': ['123', '124'] }])
      expect(() => chooseSealed(image, others)).toThrow(
        expect.objectContaining({
          code: 'POLICY',
          facts: expect.objectContaining({ reason: 'UNSEALED' }) as object,
        }),
      );
  });

  test('may sign what states another job that it expects', () => {
    const image = savedBy(TAKING_JOB);
    expect(chooseSealed(image, { 'job-id': ['124'] })).toEqual([image]);
    expect(() => chooseSealed(image)).toThrow('its job-id is 124, not 123');
  });

  /** The seal of another job with the same secret. */
  function seal(jobId: string): Record<string, string> {
    const { [SEAL]: value = '' } = originAnnotations({ ...origin, jobId }, SECRET);
    return { [SEAL]: value };
  }

  test('tells no part of it', () => {
    const { [SEAL]: value } = originAnnotations(origin, SECRET);
    expect(value).toMatch(/^[0-9a-f]{32}$/);
    expect(originAnnotations(origin)).not.toHaveProperty([SEAL]);
  });
});

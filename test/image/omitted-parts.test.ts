import { expect, test } from 'vitest';
import type { JobPlace } from '../../src/image/base-jobs.ts';
import { omissionOf, omittedParts } from '../../src/image/omitted-layers.ts';
import type { OmittedPart } from '../../src/image/omitted-layers.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { describeKeeper } from '../../src/text/kept.ts';
import { fakeDigest } from '../oci/documents.ts';

const A: JobPlace = { server: 'https://gitlab.example', project: 'group/app', job: '7', path: '.drayage/7' };
const [ONE, TWO] = [fakeDigest('1'), fakeDigest('2')];
const root = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: fakeDigest('a'), size: 1 };

/** An image that omits these blobs, of 10 bytes each; those with a place are in jobs. */
function image(blobs: Record<Digest, JobPlace | null>): Parameters<typeof omittedParts>[0][number] {
  const places = Object.entries(blobs) as [Digest, JobPlace | null][];
  const jobs = places.flatMap(([digest, job]) => (job === null ? [] : [[digest, job] as const]));
  return {
    root,
    annotations: { ...omissionOf(places.length - jobs.length, new Map(jobs)) },
    omitted: places.map(([digest]) => ({ digest, size: 10 })),
  };
}

const { ...job } = A;

test.each<[string, Parameters<typeof omittedParts>[0], Partial<OmittedPart>[]]>([
  ['of one artifact are one part', [image({ [ONE]: A, [TWO]: A })], [{ job, layers: 2, bytes: 20 }]],
  [
    'in two folders of one artifact are two parts',
    [image({ [ONE]: A, [TWO]: { ...A, path: 'images/b' } })],
    [{ job }, { job: { ...job, path: 'images/b' } }],
  ],
  [
    'in artifacts of one number on two servers are two parts',
    [image({ [ONE]: A, [TWO]: { ...A, server: 'https://other.example' } })],
    [{ job }, { job: { ...job, server: 'https://other.example' } }],
  ],
  [
    'that two images omit count once',
    [image({ [ONE]: A }), image({ [ONE]: A, [TWO]: A })],
    [{ job, layers: 2, bytes: 20 }],
  ],
  [
    'of a base image have no artifact',
    [image({ [ONE]: null, [TWO]: A })],
    [{ job: null, where: 'another layout', until: null }, { job }],
  ],
])('omitted layers %s', (_, images, parts) => {
  expect(omittedParts(images)).toMatchObject(parts);
  expect(omittedParts(images)).toHaveLength(parts.length);
});

test.each<[Partial<JobPlace> | null, string]>([
  [{}, 'job 7 of group/app has them, in .drayage/7 at https://gitlab.example'],
  [{ path: '' }, 'job 7 of group/app has them, in its artifact at https://gitlab.example'],
  [
    { expires: '2026-01-01T00:00:00.000Z' },
    'job 7 of group/app has them until 2026-01-01T00:00:00.000Z, in .drayage/7 at https://gitlab.example',
  ],
  [null, 'another layout has them'],
])('the place %j is in words: %s', (place, words) => {
  const [part] = omittedParts([image({ [ONE]: place === null ? null : { ...A, ...place } })]);
  expect(describeKeeper(part ?? expect.fail())).toBe(words);
});

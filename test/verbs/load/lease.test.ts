import { describe, expect, test } from 'vitest';
import { leaseReference, leasesOf } from '../../../src/verbs/load/lease.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { isReference } from '../../../src/oci/reference.ts';
import { fakeDigest } from '../../oci/documents.ts';

const IMAGE = fakeDigest('a');
const OTHER = fakeDigest('b');
const REF = 'app:pipeline-4711-cccccccccccc';
const NOW = new Date('2026-01-02T03:04:05.678Z');
const holder = (job: string) => ({ job, now: NOW });
const hash = (name: string): string => digestOf(Buffer.from(name)).slice(7, 15);

test('a lease says the job, the image, the name and the second, in one tag', () => {
  const since = Math.floor(NOW.getTime() / 1000).toString(36);
  expect(leaseReference(holder('123'), REF, REF, [])).toBe(
    `drayage-lease:123-cccccccccccc-${hash(REF)}-${since}`,
  );
});

test('the longest ID of a job still makes a tag that docker takes', () => {
  const images = [{ id: IMAGE, names: [REF] }];
  const reference = leaseReference(
    { job: 'j'.repeat(64), now: new Date(8_640_000_000_000_000) },
    REF,
    REF,
    images,
  );
  expect(isReference(reference)).toBe(true);
  expect(leasesOf([{ id: IMAGE, names: [reference] }])).toHaveLength(1);
});

test.each(['', 'a-b', '.a', 'a b', 'a:b', 'j'.repeat(65)])('%j is not the ID of a job', (job) => {
  expect(() => leaseReference(holder(job), REF, REF, [])).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

test('it is read back with the image that it is a tag of, and the name that it holds', () => {
  const reference = leaseReference(holder('123'), REF, REF, []);
  expect(leasesOf([{ id: IMAGE, names: ['app:1', REF, reference] }])).toEqual([
    {
      reference,
      job: '123',
      since: new Date('2026-01-02T03:04:05Z'),
      found: false,
      image: IMAGE,
      name: REF,
      nameHash: hash(REF),
    },
  ]);
  expect(leasesOf([{ id: IMAGE, names: [reference] }])).toMatchObject([{ name: undefined }]);
});

test.each([
  'drayage-lease:123',
  'drayage-lease:123-cccccccccccc',
  'drayage-lease:123-cccccccccccc-00000000-abc-lost',
  'drayage-lease:1-2-cccccccccccc-00000000-abc',
  'group/drayage-lease:123-cccccccccccc-00000000-abc',
])('%s is no lease', (name) => {
  expect(leasesOf([{ id: IMAGE, names: [name] }])).toEqual([]);
});

describe('a name that the daemon has already', () => {
  const made = leaseReference(holder('1'), REF, REF, []);
  const found = leaseReference(holder('2'), REF, REF, [{ id: IMAGE, names: [REF] }]);

  test.each([
    ['and nobody holds is found', [REF], true],
    ['and jobs hold that found it is found', [REF, found], true],
    ['and a job holds that set it is not', [REF, made], false],
    ['and a job holds that set it is not, whatever others found', [REF, found, made], false],
    [
      'while only another name of its image is held is found',
      [REF, made.replace(hash(REF), '00000000')],
      true,
    ],
  ])('%s', (_, names, expected) => {
    for (const id of [IMAGE, OTHER]) {
      const reference = leaseReference(holder('3'), REF, REF, [{ id, names }]);
      expect(reference.endsWith('-found')).toBe(expected);
      expect(leasesOf([{ id: IMAGE, names: [reference] }])).toMatchObject([{ found: expected }]);
    }
  });
});

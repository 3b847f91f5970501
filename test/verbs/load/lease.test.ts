import { describe, expect, test } from 'vitest';
import { isSealedBy, leaseReference, leasesOf, malformedLeases } from '../../../src/verbs/load/lease.ts';
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
    { job: 'j'.repeat(64), now: new Date(8_640_000_000_000_000), secret: 'key' },
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
      hex: 'cccccccccccc',
      seal: undefined,
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
  // A time that no date expresses, a number in another spelling, and a seal of another length.
  'drayage-lease:123-cccccccccccc-00000000-zzzzzzzzz',
  'drayage-lease:123-cccccccccccc-00000000-0abc',
  'drayage-lease:123-cccccccccccc-00000000-abc-0123',
  'drayage-lease:latest',
])('%s is a malformed lease', (name) => {
  const images = [{ id: IMAGE, names: [name] }];
  expect([leasesOf(images), malformedLeases(images)]).toEqual([[], [name]]);
});

test('what lies in another repository is neither a lease nor a malformed one', () => {
  const images = [
    { id: IMAGE, names: ['group/drayage-lease:123-cccccccccccc-00000000-abc', 'drayage-leases:1'] },
  ];
  expect([leasesOf(images), malformedLeases(images)]).toEqual([[], []]);
});

test('a seal is that of one job, image, name, time and secret', () => {
  const read = (reference: string, name = REF) => {
    const [lease] = leasesOf([{ id: IMAGE, names: [name, reference] }]);
    if (lease === undefined) throw new Error(`no lease: ${reference}`);
    return lease;
  };
  const holding = { ...holder('123'), secret: 'key' };
  const reference = leaseReference(holding, REF, REF, []);
  const prod = reference.replace(hash(REF), hash('prod:1'));
  expect(isSealedBy(read(reference), holding)).toBe(true);
  expect(isSealedBy(read(reference), { ...holding, secret: 'other' })).toBe(false);
  expect(isSealedBy(read(reference), { ...holding, job: '124' })).toBe(false);
  for (const [planted, name] of [
    [prod, 'prod:1'],
    [reference.replace('cccccccccccc', 'dddddddddddd')],
    [reference.replace(/-\w+(-\w{16})$/, '-abc$1')],
    [reference.replace(/(-\w{16})$/, '-found$1')],
    [reference.replace(':123-', ':124-')],
    [leaseReference(holder('123'), REF, REF, [])],
  ] as const) {
    const lease = read(planted, name);
    expect(lease.name, planted).toBe(name ?? REF);
    expect(isSealedBy(lease, { ...holding, job: lease.job }), planted).toBe(false);
  }
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

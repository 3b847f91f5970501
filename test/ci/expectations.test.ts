import { expect, test } from 'vitest';
import type { Expectations } from '../../src/ci/expectations.ts';
import { accepting, expectationsOf, mismatches } from '../../src/ci/expectations.ts';
import type { Origin } from '../../src/ci/origin.ts';
import { originAnnotations } from '../../src/ci/origin.ts';
import { ORIGIN } from '../support/gitlab-job.ts';

const JOB: Origin = { ...ORIGIN, jobName: 'build: [linux, amd64]' };

/** The keys that an image of `changed` does not meet in JOB, where these expectations replace its own. */
function unmet(changed: Partial<Origin>, others: Expectations = {}): string[] {
  const annotations = originAnnotations({ ...JOB, ...changed });
  return mismatches(annotations, { ...expectationsOf(JOB), ...others }).map(({ key }) => key);
}

test('an image of the same server, project, pipeline and commit is expected', () => {
  expect(unmet({})).toEqual([]);
  expect(unmet({ jobId: '9', jobName: 'other', ref: 'elsewhere' })).toEqual([]);
  expect(
    unmet({ server: 'https://other.example', projectPath: 'x/y', pipelineId: '4', commit: 'b'.repeat(40) }),
  ).toEqual(['server', 'project', 'pipeline', 'commit']);
});

test('outside a CI nothing is expected', () => {
  expect(mismatches({}, expectationsOf(undefined))).toEqual([]);
});

test('an image that does not say where it is from meets no expectation', () => {
  expect(mismatches({}, expectationsOf(JOB))).toEqual([
    { key: 'server', expected: ['https://gitlab.example'], actual: undefined },
    { key: 'project', expected: ['group/app'], actual: undefined },
    { key: 'pipeline', expected: ['4711'], actual: undefined },
    { key: 'commit', expected: ['a'.repeat(40)], actual: undefined },
  ]);
});

test.each<[Expectations, Partial<Origin>, string[]]>([
  [{ pipeline: ['4710'] }, { pipelineId: '4710' }, []],
  [{ pipeline: ['4709', '4710'] }, { pipelineId: '4710' }, []],
  [{ pipeline: ['4710'] }, {}, ['pipeline']],
  [{ pipeline: 'any' }, { pipelineId: '1', commit: 'b'.repeat(40) }, ['commit']],
  [{ project: ['other/app'] }, { projectPath: 'other/app', pipelineId: '1' }, ['pipeline']],
  [{ ref: ['main'] }, { ref: 'feature' }, ['ref']],
  [{ job: ['build: [linux'] }, {}, ['job']],
  [{ 'job-id': ['123'] }, { jobId: '124' }, ['job-id']],
  [{ name: ['app:1'], 'runner-environment': ['self-hosted'] }, {}, []],
])('%j replaces that expectation only', (others, changed, keys) => {
  expect(unmet(changed, others)).toEqual(keys);
});

test('what would be accepted accepts the very image', () => {
  const annotations = originAnnotations({ ...JOB, pipelineId: '4710', commit: 'b'.repeat(40) });
  const others = accepting(mismatches(annotations, expectationsOf(JOB)));
  expect(others).toEqual({ pipeline: ['4710'], commit: ['b'.repeat(40)] });
  expect(mismatches(annotations, { ...expectationsOf(JOB), ...others })).toEqual([]);
});

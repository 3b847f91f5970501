import { expect, test } from 'vitest';
import type { GitLabJob } from '../../src/ci/gitlab/job.ts';
import { gitlabAnnotations } from '../../src/ci/gitlab/job.ts';
import { accepting, expectationsOf, mismatches } from '../../src/ci/expectations.ts';

const JOB: GitLabJob = {
  server: 'https://gitlab.example',
  projectPath: 'group/app',
  projectId: '12',
  projectUrl: 'https://gitlab.example/group/app',
  pipelineId: '4711',
  jobId: '123',
  jobName: 'build: [linux, amd64]',
  ref: 'main',
  commit: 'a'.repeat(40),
};

/** The keys that an image of `changed` does not meet in JOB with these options. */
function unmet(changed: Partial<GitLabJob>, overrides: string[] = []): string[] {
  const annotations = gitlabAnnotations({ ...JOB, ...changed });
  return mismatches(annotations, expectationsOf(JOB, overrides)).map(({ key }) => key);
}

test('an image of the same server, project, pipeline and commit is expected', () => {
  expect(unmet({})).toEqual([]);
  expect(unmet({ jobId: '9', jobName: 'other', ref: 'elsewhere' })).toEqual([]);
  expect(
    unmet({ server: 'https://other.example', projectPath: 'x/y', pipelineId: '4', commit: 'b'.repeat(40) }),
  ).toEqual(['server', 'project', 'pipeline', 'commit']);
});

test('outside GitLab nothing is expected', () => {
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

test.each([
  ['pipeline=4710', { pipelineId: '4710' }, []],
  ['pipeline=4709,4710', { pipelineId: '4710' }, []],
  ['pipeline=4710', {}, ['pipeline']],
  ['pipeline=any', { pipelineId: '1', commit: 'b'.repeat(40) }, ['commit']],
  ['project=other/app', { projectPath: 'other/app', pipelineId: '1' }, ['pipeline']],
  ['ref=main', { ref: 'feature' }, ['ref']],
  ['job=build: [linux', {}, ['job']],
  ['job-id=123', { jobId: '124' }, ['job-id']],
  ['none', { pipelineId: '1', commit: 'b'.repeat(40) }, []],
])('%s replaces that expectation only', (override, changed, keys) => {
  expect(unmet(changed, [override])).toEqual(keys);
});

test('after none only what follows is expected', () => {
  expect(unmet({ commit: 'b'.repeat(40), pipelineId: '5' }, ['none', 'pipeline=4711'])).toEqual(['pipeline']);
});

test.each(['', 'pipeline', 'pipeline=', 'pipeline=1,,2', '=1', 'color=red', 'toString=1', 'all'])(
  '%j is no expectation',
  (text) => {
    expect(() => expectationsOf(JOB, [text])).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
  },
);

test('the expectations that are told accept the very image', () => {
  const annotations = gitlabAnnotations({ ...JOB, pipelineId: '4710', commit: 'b'.repeat(40) });
  const found = accepting(mismatches(annotations, expectationsOf(JOB)));
  expect(found).toEqual({ pipeline: ['4710'], commit: ['b'.repeat(40)] });
  const overrides = Object.entries(found).map(([key, values]) => `${key}=${String(values)}`);
  expect(mismatches(annotations, expectationsOf(JOB, overrides))).toEqual([]);
});

test('what an image does not say is accepted as any', () => {
  const found = mismatches({}, expectationsOf(JOB, ['none', 'ref=main']));
  expect(accepting(found)).toEqual({ ref: 'any' });
});

import { describe, expect, test } from 'vitest';
import { parseExpectations, readPolicy } from '../../src/cli/expectations.ts';
import { hintOf } from '../../src/cli/hints.ts';
import type { Expectations, StoredImage } from '../../src/index.ts';
import { REVISION } from '../../src/oci/annotations.ts';
import { sampleImage } from '../../src/testing/sample-images.ts';
import { gitlabJob } from '../support/gitlab-job.ts';

const env = { ...gitlabJob('2', 'test'), CI_PIPELINE_ID: '1' };

/** An image of another pipeline of a project. */
function imageOf(path: string, id: string): StoredImage {
  return {
    root: sampleImage(['app']).root,
    names: ['app:1'],
    annotations: {
      'dev.drayage.gitlab.server': 'https://gitlab.example',
      'dev.drayage.gitlab.project-path': path,
      'dev.drayage.gitlab.project-id': id,
      'dev.drayage.gitlab.pipeline-id': '99',
      [REVISION]: 'b'.repeat(40),
    },
  };
}

describe('what a job expects of the images of the job that it names', () => {
  test.each(['group/app', '12'])('its own pipeline, where --project %s is its own', (project) => {
    const policy = readPolicy({ job: 'build', project }, { env });
    const choose = (): unknown => policy?.choose([imageOf('group/app', '12')], () => {});
    expect(choose).toThrow(/pipeline is 99, not 1; commit is b+, not a+$/);
  });

  test('that of --pipeline, of another --project', () => {
    const policy = readPolicy({ job: 'build', project: 'group/other', pipeline: '99' }, { env });
    const image = imageOf('group/other', '13');
    expect(policy?.choose([image], () => {})).toEqual([image]);
  });
});

/** Each origin is accepted. */
const NONE = parseExpectations(['none']);

test.each<[string[], Expectations]>([
  [['pipeline=4710'], { pipeline: ['4710'] }],
  [['pipeline=4709,4710', 'job=build: [linux'], { pipeline: ['4709', '4710'], job: ['build: [linux'] }],
  [['pipeline=any', 'name=any'], { pipeline: 'any', name: 'any' }],
  [['pipeline=1', 'pipeline=2'], { pipeline: ['2'] }],
  [
    ['project=group/other pipeline=4700 commit=any'],
    { project: ['group/other'], pipeline: ['4700'], commit: 'any' },
  ],
  [['name=app:1', 'none', 'pipeline=4711'], { ...NONE, pipeline: ['4711'] }],
  [['none job-id=99'], { ...NONE, 'job-id': ['99'] }],
])('--expect %j is read once', (texts, expected) => {
  expect(parseExpectations(texts)).toEqual(expected);
});

test('none accepts each origin, and says nothing of signatures', () => {
  const keys = ['server', 'project', 'pipeline', 'commit', 'job', 'job-id', 'ref'];
  expect(NONE).toEqual(Object.fromEntries(keys.map((key) => [key, 'any'])));
});

test.each([
  '',
  'pipeline',
  'pipeline=',
  'pipeline=1,,2',
  'pipeline=1,any',
  '=1',
  'color=red',
  'toString=1',
  'all',
])('%j is no expectation', (text) => {
  expect(() => parseExpectations([text])).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
});

test.each<Expectations>([
  { pipeline: ['4710'], commit: ['b'.repeat(40), 'c'] },
  { job: 'any', name: ['other:1', 'registry.example:5000/app:1'] },
  { 'job-id': ['124'], ref: ['feature/x'] },
])('the options that a hint names for %j are read as that', (accepting) => {
  const [, ...options] = hintOf({ reason: 'OTHER_ORIGIN', accepting })?.split('--expect ') ?? [];
  expect(parseExpectations(options)).toEqual(accepting);
});

import { expect, test } from 'vitest';
import { gitlab } from '../../../src/ci/gitlab/gitlab.ts';
import { readIds, readOrigin } from '../../../src/ci/gitlab/job.ts';
import { originAnnotations } from '../../../src/ci/origin.ts';

const ENV = {
  GITLAB_CI: 'true',
  CI_SERVER_URL: 'https://gitlab.example',
  CI_PROJECT_PATH: 'group/app',
  CI_PROJECT_ID: '12',
  CI_PROJECT_URL: 'https://gitlab.example/group/app',
  CI_PIPELINE_ID: '4711',
  CI_JOB_ID: '123',
  CI_JOB_NAME: 'build: [linux]',
  CI_COMMIT_REF_NAME: 'feature/x',
  CI_COMMIT_SHA: 'a'.repeat(40),
};

test('the job is read out of the variables', () => {
  expect(readOrigin(ENV)).toEqual({
    ci: 'gitlab',
    server: 'https://gitlab.example',
    projectPath: 'group/app',
    projectId: '12',
    projectUrl: 'https://gitlab.example/group/app',
    pipelineId: '4711',
    jobId: '123',
    jobName: 'build: [linux]',
    ref: 'feature/x',
    commit: 'a'.repeat(40),
  });
});

test.each(Object.keys(ENV).filter((name) => name.startsWith('CI_')))(
  'without %s the job cannot be read, and the error names it',
  (name) => {
    const missing = { code: 'USAGE', message: expect.stringContaining(`${name} is not set`) as string };
    expect(() => readOrigin({ ...ENV, [name]: undefined })).toThrow(
      expect.objectContaining(missing) as Error,
    );
    expect(() => readOrigin({ ...ENV, [name]: '' })).toThrow(expect.objectContaining(missing) as Error);
  },
);

test.each([undefined, '', '1'])('where GITLAB_CI is %j, this is no job of GitLab', (value) => {
  expect(gitlab.isHere({ ...ENV, GITLAB_CI: value })).toBe(false);
  expect(gitlab.isHere(ENV)).toBe(true);
});

test.each([
  ['CI_JOB_ID', '12a'],
  ['CI_PIPELINE_ID', '../4711'],
  ['CI_JOB_ID', '1'.repeat(21)],
  ['CI_PIPELINE_ID', ' 4711'],
  ['CI_PROJECT_ID', '-1'],
  ['CI_SERVER_URL', 'gitlab.example'],
  ['CI_SERVER_URL', 'https://'],
  ['CI_SERVER_URL', 'https://me:secret@gitlab.example'],
  ['CI_PROJECT_URL', 'https://gitlab.example/group app'],
  ['CI_JOB_URL', 'https://token@gitlab.example/-/jobs/123'],
  ['CI_PROJECT_URL', 'gitlab.example/group/app'],
  ['CI_JOB_URL', '/-/jobs/123'],
  ['CI_COMMIT_SHA', 'main'],
  ['CI_COMMIT_SHA', 'A'.repeat(40)],
  ['CI_PROJECT_PATH', 'app'],
  ['CI_PROJECT_PATH', '$CI_PROJECT_PATH'],
  ['CI_PROJECT_PATH', 'group/my app'],
  ['CI_PROJECT_PATH', 'group/app\n'],
  ['CI_JOB_NAME', 'build\nDRAYAGE_APP_REF=x'],
  ['CI_COMMIT_REF_NAME', 'main\u0000'],
])('%s of %j is malformed, and the error names it', (name, value) => {
  expect(() => readOrigin({ ...ENV, [name]: value })).toThrow(
    `${name} is malformed: ${JSON.stringify(value)}`,
  );
});

test.each([
  ['CI_SERVER_URL', 'http://127.0.0.1:8080/gitlab'],
  ['CI_JOB_URL', ''],
  ['CI_PROJECT_PATH', 'a.b/c_d/e-f/1'],
  ['CI_JOB_NAME', 'bäckerei: [a, b] 1/2'],
])('%s may be %j', (name, value) => {
  expect(readOrigin({ ...ENV, [name]: value }).jobId).toBe('123');
});

test('the IDs of job and project are read also where nothing else is there', () => {
  expect(readIds({ CI_JOB_ID: '123' })).toEqual({ jobId: '123' });
  expect(readIds({ CI_PIPELINE_ID: '4711' })).toEqual({ pipelineId: '4711' });
  expect(readIds({ CI_JOB_ID: '../1', CI_PROJECT_ID: '12' })).toEqual({ projectId: '12' });
});

test('a SHA-256 commit is one, too', () => {
  expect(readOrigin({ ...ENV, CI_COMMIT_SHA: 'b'.repeat(64) }).commit).toBe('b'.repeat(64));
});

test('the annotations say who saved an image', () => {
  expect(Object.entries(originAnnotations(readOrigin(ENV)))).toEqual(
    Object.entries({
      'org.opencontainers.image.revision': 'a'.repeat(40),
      'org.opencontainers.image.source': 'https://gitlab.example/group/app',
      'dev.drayage.gitlab.server': 'https://gitlab.example',
      'dev.drayage.gitlab.project-path': 'group/app',
      'dev.drayage.gitlab.project-id': '12',
      'dev.drayage.gitlab.pipeline-id': '4711',
      'dev.drayage.gitlab.job-id': '123',
      'dev.drayage.gitlab.job-name': 'build: [linux]',
      'dev.drayage.gitlab.ref': 'feature/x',
    }),
  );
});

import { expect, test } from 'vitest';
import { gitlabAnnotations, readGitLabJob } from '../../../src/ci/gitlab/job.ts';

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
  expect(readGitLabJob(ENV)).toEqual({
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

test.each(Object.keys(ENV))('without %s there is no job', (name) => {
  expect(readGitLabJob({ ...ENV, [name]: undefined })).toBeUndefined();
  expect(readGitLabJob({ ...ENV, [name]: '' })).toBeUndefined();
});

test.each([
  ['GITLAB_CI', '1'],
  ['CI_JOB_ID', '12a'],
  ['CI_PIPELINE_ID', '../4711'],
  ['CI_PROJECT_ID', '-1'],
  ['CI_COMMIT_SHA', 'main'],
  ['CI_COMMIT_SHA', 'A'.repeat(40)],
])('%s of %s is no job', (name, value) => {
  expect(readGitLabJob({ ...ENV, [name]: value })).toBeUndefined();
});

test('a SHA-256 commit is one, too', () => {
  expect(readGitLabJob({ ...ENV, CI_COMMIT_SHA: 'b'.repeat(64) })?.commit).toBe('b'.repeat(64));
});

test('the annotations say who saved an image', () => {
  const job = readGitLabJob(ENV);
  expect(job && gitlabAnnotations(job)).toEqual({
    'org.opencontainers.image.revision': 'a'.repeat(40),
    'org.opencontainers.image.source': 'https://gitlab.example/group/app',
    'dev.drayage.gitlab.server': 'https://gitlab.example',
    'dev.drayage.gitlab.project-path': 'group/app',
    'dev.drayage.gitlab.project-id': '12',
    'dev.drayage.gitlab.pipeline-id': '4711',
    'dev.drayage.gitlab.job-id': '123',
    'dev.drayage.gitlab.job-name': 'build: [linux]',
    'dev.drayage.gitlab.ref': 'feature/x',
  });
});

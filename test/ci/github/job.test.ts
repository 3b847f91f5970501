import { describe, expect, test } from 'vitest';
import { githubBuildType, readBuild } from '../../../src/ci/github/build.ts';
import { github } from '../../../src/ci/github/github.ts';
import { readIds, readOrigin } from '../../../src/ci/github/job.ts';
import { originAnnotations, originOf } from '../../../src/ci/origin.ts';
import { leaseReference } from '../../../src/verbs/load/lease.ts';
import { githubJob } from '../../support/github-job.ts';

const JOB = githubJob();

test('its variables are an origin, which annotations state', () => {
  const { jobUrl, ...origin } = readOrigin(JOB);
  expect(origin).toEqual({
    ci: 'github',
    server: 'https://github.com',
    projectPath: 'group/app',
    projectId: '12',
    projectUrl: 'https://github.com/group/app',
    pipelineId: '77',
    jobId: '77.build.2',
    jobName: 'build',
    run: '2',
    ref: 'main',
    commit: 'c'.repeat(40),
  });
  expect(jobUrl).toBe('https://github.com/group/app/actions/runs/77/attempts/2');
  expect(originOf(originAnnotations(readOrigin(JOB)))).toEqual(origin);
});

describe.each([
  'GITHUB_SERVER_URL',
  'GITHUB_REPOSITORY',
  'GITHUB_REPOSITORY_ID',
  'GITHUB_RUN_ID',
  'GITHUB_RUN_ATTEMPT',
  'GITHUB_JOB',
  'GITHUB_REF_NAME',
  'GITHUB_SHA',
])('a job without %s', (name) => {
  test.each([
    ['', 'is not set'],
    [undefined, 'is not set'],
  ])('is an error that names it: %j', (value, state) => {
    const message = `the variables of this GitHub Actions job are incomplete: ${name} ${state}`;
    expect(() => readOrigin({ ...JOB, [name]: value })).toThrow(message);
  });
});

test.each([
  ['GITHUB_SERVER_URL', 'github.com'],
  ['GITHUB_SERVER_URL', 'https://github.com/other'],
  ['GITHUB_SERVER_URL', 'https://a b'],
  ['GITHUB_SERVER_URL', 'https://me:secret@github.com'],
  ['GITHUB_REPOSITORY', 'app'],
  ['GITHUB_REPOSITORY', 'group/app/../other'],
  ['GITHUB_RUN_ID', '7a'],
  ['GITHUB_RUN_ATTEMPT', '0x1'],
  ['GITHUB_JOB', '../build'],
  ['GITHUB_JOB', 'build.2'],
  ['GITHUB_SHA', 'main'],
])('a malformed variable is an error that names it: %s=%s', (name, value) => {
  expect(() => readOrigin({ ...JOB, [name]: value })).toThrow(`${name} is malformed: "${value}"`);
  expect(String(readIds({ ...JOB, [name]: value }).jobId)).not.toContain(value);
});

test('IDs are read also where only they are set', () => {
  expect(readIds(JOB)).toEqual({ jobId: '77.build.2', projectId: '12', pipelineId: '77' });
  expect(readIds({ GITHUB_RUN_ID: '5' })).toEqual({ pipelineId: '5' });
  expect(readIds({})).toEqual({});
});

test('a long key of a job makes an ID that a lease takes', () => {
  const [one, other] = ['-1', '-2'].map((end) =>
    readOrigin({ ...JOB, GITHUB_JOB: `build-and-test-the-image-on-every-platform-of-the-matrix${end}` }),
  );
  const { jobId = '', jobName = '', projectUrl = '', jobUrl = '' } = one ?? {};
  expect(jobId).toMatch(/^77\.sha256\.[0-9a-f]{32}\.2$/);
  expect(jobId).not.toBe(other?.jobId);
  expect(githubBuildType.jobAt(projectUrl, jobUrl, jobName)).toMatchObject({ jobId });
  const holder = { job: jobId, now: new Date(0) };
  expect(leaseReference(holder, 'app:pipeline-77-cccccccccccc', 'app:1', [])).toContain(jobId);
  expect(readOrigin({ ...JOB, GITHUB_JOB: 'j'.repeat(59) }).jobId).toBe(`77.${'j'.repeat(59)}.2`);
  expect(readOrigin({ ...JOB, GITHUB_JOB: 'j'.repeat(60) }).jobId).toContain('.sha256.');
});

test('the ID of a job can name a folder and a lease, and differs from that of a job with another key', () => {
  const [dashed, other] = ['test-app', 'test_app'].map((key) => readOrigin({ ...JOB, GITHUB_JOB: key }));
  expect(dashed).toMatchObject({ jobName: 'test-app', jobId: '77.test..app.2', run: '2' });
  expect(dashed?.jobId).not.toBe(other?.jobId);
  expect(dashed?.jobUrl).toBe('https://github.com/group/app/actions/runs/77/attempts/2');
});

describe('the address of a job and its claimed name', () => {
  const { projectUrl, jobUrl } = readOrigin(JOB);

  test.each(['build', 'test-app', '_', 'a--b'])('of %s state its IDs', (key) => {
    const { pipelineId, jobId, run, jobUrl: address } = readOrigin({ ...JOB, GITHUB_JOB: key });
    expect(githubBuildType.jobAt(projectUrl, address, key)).toEqual({ pipelineId, jobId, run });
  });

  test.each([undefined, '', '../build', 'build.2'])('state no ID without a key: %j', (key) => {
    expect(githubBuildType.jobAt(projectUrl, jobUrl, key)).toEqual({ pipelineId: '77', run: '2' });
  });

  test.each([
    `${projectUrl}/actions/runs/77`,
    `${projectUrl}/actions/runs/77/attempts/`,
    `${projectUrl}/actions/runs/77/attempts/2/`,
    `${projectUrl}/actions/runs/7a/attempts/2`,
    `${projectUrl}/other/actions/runs/77/attempts/2`,
    `${projectUrl}/-/jobs/77`,
  ])('are those of no job: %s', (address) => {
    expect(githubBuildType.jobAt(projectUrl, address, 'build')).toBeUndefined();
  });
});

test.each([
  ['true', true],
  ['false', false],
  ['', false],
])('a ref is protected only if GITHUB_REF_PROTECTED says so: %j', (value, isProtected) => {
  expect(github.isProtected?.({ ...JOB, GITHUB_REF_PROTECTED: value })).toBe(isProtected);
  expect(github.isProtected?.(JOB)).toBe(false);
});

test('a git tag is that of a run for a tag', () => {
  expect(github.gitTag(JOB)).toBeUndefined();
  expect(github.gitTag({ ...JOB, GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: 'v1' })).toBe('v1');
});

describe('a build', () => {
  test('states what its certificate states', () => {
    const { signer, invocationId, externalParameters, builderId } = readBuild(JOB);
    expect(signer).toEqual({
      issuer: 'https://token.actions.githubusercontent.com',
      identity: 'https://github.com/group/app/.github/workflows/ci.yml@refs/heads/main',
    });
    expect(invocationId).toBe(readOrigin(JOB).jobUrl);
    expect(externalParameters).toMatchObject({
      ref: 'refs/heads/main',
      entryPoint: 'build',
      trigger: 'push',
    });
    expect(builderId).toBe('https://github.com/actions/runner/github-hosted');
  });

  test.each(['GITHUB_REF', 'GITHUB_WORKFLOW_REF', 'GITHUB_EVENT_NAME'])('needs %s', (name) => {
    expect(() => readBuild({ ...JOB, [name]: '' })).toThrow(`${name} is not set`);
  });

  test.each([
    ['https://github.com', 'https://token.actions.githubusercontent.com'],
    ['https://tenant.ghe.com', 'https://token.actions.tenant.ghe.com'],
    ['https://github.example', 'https://github.example/_services/token'],
  ])('of %s is vouched for by %s, and by nobody else', (server, issuer) => {
    expect(readBuild({ ...JOB, GITHUB_SERVER_URL: server }).signer.issuer).toBe(issuer);
    expect(githubBuildType.serverOf(issuer)).toBe(server);
    expect(githubBuildType.serverOf(`${issuer}.other.example`)).toBeUndefined();
    expect(githubBuildType.serverOf('https://gitlab.example')).toBeUndefined();
  });

  test('is configured by its own repository only', () => {
    const identity = 'https://github.com/group/app/.github/workflows/ci.yml@refs/heads/main';
    expect(githubBuildType.isConfiguredBy('https://github.com/group/app', identity)).toBe(true);
    expect(githubBuildType.isConfiguredBy('https://github.com/group/ap', identity)).toBe(false);
    expect(githubBuildType.isConfiguredBy('https://github.com/group', identity)).toBe(false);
  });
});

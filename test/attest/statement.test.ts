import { expect, test } from 'vitest';
import { provenanceStatement } from '../../src/attest/statement.ts';
import { readBuild } from '../../src/ci/gitlab/build.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';

const DIGEST = digestOf(Buffer.from('manifest'));
const ID = digestOf(Buffer.from('config'));

test('a statement says of image and job what its build type documents, and nothing else', () => {
  const secrets = {
    CI_JOB_TOKEN: 'secret',
    GITLAB_USER_EMAIL: 'a@example.com',
    PATH: '/bin',
    npm_config_x: 'y',
  };
  const build = readBuild({
    ...SIGNING_JOB,
    ...secrets,
    CI_CONFIG_PATH: 'ci/build.yml',
    CI_COMMIT_TAG: '',
    CI_RUNNER_EXECUTABLE_ARCH: 'linux/amd64',
    CI_JOB_STARTED_AT: '2026-01-01T00:00:00Z',
  });
  const image = { digest: DIGEST, ids: [ID], names: ['registry.example/app:1', 'app:2'] };
  const options = { finishedAt: new Date('2026-01-01T00:01:00Z'), version: '1.2.3' };
  expect(JSON.parse(provenanceStatement(image, build, options).toString())).toEqual({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'registry.example/app', digest: { sha256: DIGEST.slice(7) } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:uuid:e9b88c44-ef8a-4cdd-a632-3a52645fd0db',
        externalParameters: {
          source: 'https://gitlab.example/group/app',
          ref: 'refs/heads/main',
          entryPoint: 'build',
          configPath: 'ci/build.yml',
          trigger: 'push',
          imageRefs: ['registry.example/app:1', 'app:2'],
        },
        internalParameters: {
          pipelineId: '4711',
          pipelineUrl: 'https://gitlab.example/group/app/-/pipelines/4711',
          jobId: '123',
          projectId: '12',
          runner: { id: '7', executableArch: 'linux/amd64' },
        },
        resolvedDependencies: [
          {
            uri: 'git+https://gitlab.example/group/app@refs/heads/main',
            digest: { gitCommit: 'a'.repeat(40) },
          },
        ],
      },
      runDetails: {
        builder: {
          id: 'https://gitlab.example/group/app/-/runners/7',
          version: { drayage: '1.2.3' },
        },
        metadata: {
          invocationId: 'https://gitlab.example/group/app/-/jobs/123',
          startedOn: '2026-01-01T00:00:00Z',
          finishedOn: '2026-01-01T00:01:00.000Z',
        },
        byproducts: [{ name: 'image-id', digest: { sha256: ID.slice(7) } }],
      },
    },
  });
});

test.each([
  ['a branch', {}, 'https://gitlab.example/group/app//.gitlab-ci.yml@refs/heads/main'],
  ['a tag', { CI_COMMIT_TAG: 'main' }, 'https://gitlab.example/group/app//.gitlab-ci.yml@refs/tags/main'],
  [
    'a merge request',
    { CI_COMMIT_REF_NAME: 'refs/merge-requests/7/head', CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: 'feature' },
    'https://gitlab.example/group/app//.gitlab-ci.yml@refs/heads/feature',
  ],
  [
    'a configuration of its own name',
    { CI_CONFIG_PATH: 'ci/a.yml' },
    'https://gitlab.example/group/app//ci/a.yml@refs/heads/main',
  ],
  ['a configuration of another project', { CI_CONFIG_PATH: 'ci.yml@group/ci' }, undefined],
  ['a configuration from elsewhere', { CI_CONFIG_PATH: 'https://example.com/ci.yml' }, undefined],
])('the identity of a job of %s is what GitLab vouches for', (_, variables, identity) => {
  expect(readBuild({ ...SIGNING_JOB, ...variables }).signer).toEqual({
    issuer: 'https://gitlab.example',
    identity,
  });
});

test.each(['CI_JOB_URL', 'CI_RUNNER_ID', 'CI_COMMIT_SHA'])('without %s there is no build', (name) => {
  const read = (): unknown => readBuild({ ...SIGNING_JOB, [name]: undefined });
  expect(read).toThrow(`${name} is not set`);
});

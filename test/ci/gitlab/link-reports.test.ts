import { expect, test } from 'vitest';
import { artifactLinks, registryLinks } from '../../../src/ci/gitlab/link-reports.ts';
import type { Origin } from '../../../src/ci/origin.ts';

const JOB: Origin = {
  ci: 'gitlab',
  server: 'https://gitlab.example',
  projectPath: 'group/app',
  projectId: '12',
  projectUrl: 'https://gitlab.example/group/app',
  pipelineId: '4711',
  jobId: '123',
  jobName: 'build',
  jobUrl: 'https://gitlab.example/group/app/-/jobs/123',
  ref: 'main',
  commit: 'a'.repeat(40),
};

test('the report links to the folder in the artifacts of the job', () => {
  const text = artifactLinks(JOB, [{ label: 'app:1', folder: '.drayage/123' }]);
  expect(JSON.parse(text)).toEqual({
    drayage: [
      {
        external_link: {
          label: 'app:1',
          url: 'https://gitlab.example/group/app/-/jobs/123/artifacts/browse/.drayage/123/',
        },
      },
    ],
  });
});

test('a folder is written as an address', () => {
  const text = artifactLinks(JOB, [{ label: 'app:1', folder: 'a b/#c' }]);
  expect(text).toContain('/artifacts/browse/a%20b/%23c/"');
});

test('without the address of the job there is no link', () => {
  const { jobUrl: _, ...job } = JOB;
  expect(JSON.parse(artifactLinks(job, [{ label: 'app:1', folder: 'x' }]))).toEqual({
    drayage: [],
  });
});

test('what was promoted is linked to the container registry of the project', () => {
  const references = ['r.example/app:1', 'r.example/app:2', 'r.example.org/app:1'];
  expect(JSON.parse(registryLinks(JOB, references, { CI_REGISTRY: 'r.example' }))).toEqual({
    drayage: ['r.example/app:1', 'r.example/app:2'].map((label) => ({
      external_link: { label, url: `${JOB.projectUrl}/container_registry` },
    })),
  });
  expect(JSON.parse(registryLinks(JOB, references, {}))).toEqual({ drayage: [] });
});

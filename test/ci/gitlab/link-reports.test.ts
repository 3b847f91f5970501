import { expect, test } from 'vitest';
import { artifactLinks, registryLinks } from '../../../src/ci/gitlab/link-reports.ts';
import type { Origin } from '../../../src/ci/origin.ts';
import { ORIGIN } from '../../support/gitlab-job.ts';

const JOB: Origin = { ...ORIGIN, jobUrl: 'https://gitlab.example/group/app/-/jobs/123' };

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

import { describe, expect, test } from 'vitest';
import { readPolicy } from '../../src/cli/expectations.ts';
import type { StoredImage } from '../../src/index.ts';
import { REVISION } from '../../src/oci/annotations.ts';
import { sampleImage } from '../layout/sample-images.ts';
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

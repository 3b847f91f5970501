import { expect, test } from 'vitest';
import type { StoredImage } from '../../src/content/image-index.ts';
import { expectationsOf } from '../../src/ci/expectations.ts';
import type { Origin } from '../../src/ci/origin.ts';
import { originAnnotations } from '../../src/ci/origin.ts';
import { originPolicy } from '../../src/ci/origin-policy.ts';
import type { ImageConfig } from '../../src/oci/config.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { ORIGIN } from '../support/gitlab-job.ts';

const JOB: Origin = ORIGIN;
const POLICY = originPolicy(expectationsOf(JOB));

function image(name: string, from: Partial<Origin> = {}): StoredImage {
  const digest = digestOf(Buffer.from(name));
  return {
    root: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1 },
    names: [name],
    annotations: originAnnotations({ ...JOB, ...from }),
  };
}

/** What is chosen, by name, and what is told. */
function choose(...images: StoredImage[]): { chosen: string[]; notes: string[] } {
  const notes: string[] = [];
  const chosen = POLICY.choose(images, (message) => notes.push(message));
  return { chosen: chosen.flatMap(({ names }) => names), notes };
}

function config(label?: string): ImageConfig {
  const labels: Record<string, string> =
    label === undefined ? {} : { 'org.opencontainers.image.revision': label };
  return { os: 'linux', architecture: 'amd64', rootfs: { diff_ids: [] }, config: { Labels: labels } };
}

test('images of this pipeline are chosen, whichever job saved them', () => {
  expect(choose(image('app:1'), image('tools:1', { jobName: 'other', jobId: '122' }))).toEqual({
    chosen: ['app:1', 'tools:1'],
    notes: [],
  });
});

test('images of other pipelines are left out with a line as long as one is ours', () => {
  expect(choose(image('old:1', { pipelineId: '4710' }), image('app:1'))).toEqual({
    chosen: ['app:1'],
    notes: ['old:1 is skipped: pipeline is 4710, not 4711'],
  });
});

test('where none is ours, the refusal says what would have accepted it', () => {
  expect(() => choose(image('old:1', { pipelineId: '4710', commit: 'b'.repeat(40) }))).toThrow(
    expect.objectContaining({
      code: 'POLICY',
      message: `old:1 is not the image of this pipeline: pipeline is 4710, not 4711; commit is ${'b'.repeat(40)}, not ${'a'.repeat(40)}`,
      facts: expect.objectContaining({
        reason: 'OTHER_ORIGIN',
        accepting: { pipeline: ['4710'], commit: ['b'.repeat(40)] },
      }) as object,
    }) as Error,
  );
});

test('an image that does not say where it is from is refused', () => {
  expect(() => choose({ ...image('foreign:1'), annotations: {} })).toThrow(
    expect.objectContaining({
      code: 'POLICY',
      facts: expect.objectContaining({
        accepting: { server: 'any', project: 'any', pipeline: 'any', commit: 'any' },
      }) as object,
    }) as Error,
  );
});

test('no image at all is no refusal', () => {
  expect(choose()).toEqual({ chosen: [], notes: [] });
});

test('of a job that ran again the last run counts, by number', () => {
  const runs = [
    image('app:1', { jobId: '99' }),
    image('app:2', { jobId: '100' }),
    image('app:3', { jobId: '98' }),
  ];
  expect(choose(...runs)).toEqual({
    chosen: ['app:2'],
    notes: [
      'app:1 of job 99 is skipped: the job ran again as 100',
      'app:3 of job 98 is skipped: the job ran again as 100',
    ],
  });
});

test('jobs of a matrix have names of their own: each counts', () => {
  const jobs = ['build: [a]', 'build: [b]'].map((jobName, i) => image(jobName, { jobName, jobId: `${i}` }));
  expect(choose(...jobs).chosen).toEqual(['build: [a]', 'build: [b]']);
});

test('a run of another pipeline never replaces ours', () => {
  expect(choose(image('app:1'), image('app:2', { pipelineId: '4712', jobId: '999' })).chosen).toEqual([
    'app:1',
  ]);
});

test('images without a job are all kept', () => {
  const bare = ['a:1', 'b:1'].map((name) => ({ ...image(name), annotations: {} }));
  expect(originPolicy(expectationsOf(undefined)).choose(bare, () => {})).toEqual(bare);
});

test('an image whose own label names another commit is refused', () => {
  expect(() => POLICY.check(image('app:1'), config('b'.repeat(40)))).toThrow(
    expect.objectContaining({
      code: 'POLICY',
      facts: expect.objectContaining({
        reason: 'OTHER_REVISION',
        accepting: { commit: ['a'.repeat(40), 'b'.repeat(40)] },
      }) as object,
    }) as Error,
  );
});

test.each([
  ['without a label', config()],
  ['with the label of this commit', config('a'.repeat(40))],
])('an image %s passes', (_, value) => {
  expect(() => POLICY.check(image('app:1'), value)).not.toThrow();
});

test('where any commit is accepted, so is any label', () => {
  const policy = originPolicy({ ...expectationsOf(JOB), commit: 'any' });
  expect(() => policy.check(image('app:1'), config('b'.repeat(40)))).not.toThrow();
});

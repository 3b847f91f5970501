import { expect, test } from 'vitest';
import { readPromotions } from '../../src/cli/promotions.ts';
import type { StoredImage } from '../../src/content/image-index.ts';
import { originPolicy } from '../../src/ci/origin-policy.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { contextOf } from './contexts.ts';

const POLICY = originPolicy({ pipeline: ['2'] });
const ALL = { all: true, to: ['registry.example/{name}:{tag}'] };

/** An image of a pipeline. */
function imageOf(pipeline: string, ...names: string[]): StoredImage {
  const digest = digestOf(Buffer.from(`${pipeline} ${names.join(' ')}`));
  const annotations = { 'dev.drayage.gitlab.pipeline-id': pipeline };
  return { root: { mediaType: OCI_MANIFEST, digest, size: 1 }, names, annotations };
}

const placeOf = (...images: StoredImage[]) => ({ images: async () => images });

test('of all images those of other pipelines are left out, each with a line', async () => {
  const context = contextOf();
  const places = [
    placeOf(imageOf('1', 'app:1'), imageOf('1', 'old:1')),
    placeOf(imageOf('2', 'app:1'), imageOf('2', 'web:1'), imageOf('2')),
  ];
  const promotions = await readPromotions([], ALL, places, POLICY, context);
  expect(promotions.map(({ image }) => image)).toEqual(['app:1', 'web:1']);
  expect(context.notes).toEqual([
    'old:1 is skipped: pipeline is 1, not 2',
    expect.stringMatching(/^sha256:\w+ is skipped: it has no name$/),
  ]);
});

test('where all images are those of other pipelines, that is refused', async () => {
  const places = [placeOf(imageOf('1', 'app:1'), imageOf('1', 'old:1'))];
  await expect(readPromotions([], ALL, places, POLICY, contextOf())).rejects.toMatchObject({
    code: 'POLICY',
    message: expect.stringContaining('app:1 is not the image of this pipeline'),
  });
});

test('of all images of layouts without any there is none to promote', async () => {
  await expect(readPromotions([], ALL, [placeOf()], POLICY, contextOf())).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

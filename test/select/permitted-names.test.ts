import { expect, test } from 'vitest';
import { originPolicy } from '../../src/ci/origin-policy.ts';
import type { ImagePlace, StoredImage } from '../../src/content/image-index.ts';
import { placeOf } from '../../src/content/overlay.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { Listing } from '../../src/listing/listing.ts';
import { permittedNames } from '../../src/select/select.ts';
import { MemoryContent } from '../support/memory-content.ts';

const policy = originPolicy({ pipeline: ['2'] });

/** An image of a pipeline. */
function imageOf(pipeline: string, ...names: string[]): StoredImage {
  const digest = digestOf(Buffer.from(`${pipeline} ${names.join(' ')}`));
  const annotations = { 'dev.drayage.gitlab.pipeline-id': pipeline };
  return { root: { mediaType: OCI_MANIFEST, digest, size: 1 }, names, annotations };
}

const unused = async (): Promise<never> => expect.fail('only images are listed');

function placeWith(...images: [StoredImage, ...StoredImage[]] | []): ImagePlace {
  return placeOf(new MemoryContent(), { images: async () => images, resolve: unused, referrers: unused });
}

test('of all images those of other pipelines are left out, each with a line', async () => {
  const notes: string[] = [];
  const places = [
    placeWith(imageOf('1', 'app:1'), imageOf('1', 'old:1')),
    placeWith(imageOf('2', 'app:1'), imageOf('2', 'web:1'), imageOf('2')),
  ];
  const names = await permittedNames(places, {
    policy,
    onProgress: (event) => event.kind === 'note' && notes.push(event.message),
  });
  expect(names).toEqual(['app:1', 'web:1']);
  expect(notes).toEqual([
    'old:1 is skipped: pipeline is 1, not 2',
    expect.stringMatching(/^\(no name\) sha256:\w+ is skipped: it has no name$/),
  ]);
});

test('entries that are skipped get a line', async () => {
  const entries = { manifests: [], unread: [null] };
  const content = new MemoryContent();
  const listing = new Listing({ content, index: async () => entries, place: 'here' });
  const one = imageOf('2', 'app:1');
  const images: ImagePlace['images'] = async (options) => [one, ...(await listing.images(options))];
  const place = placeOf(content, { images, resolve: unused, referrers: unused });
  const notes: unknown[] = [];
  expect(await permittedNames([place], { onProgress: notes.push.bind(notes) })).toEqual(['app:1']);
  expect(notes).toEqual([{ kind: 'note', message: 'an entry of index.json is skipped: it is null' }]);
});

test('where all images are those of other pipelines, that is refused', async () => {
  const places = [placeWith(imageOf('1', 'app:1'), imageOf('1', 'old:1'))];
  await expect(permittedNames(places, { policy })).rejects.toMatchObject({
    code: 'POLICY',
    message: expect.stringContaining('app:1 is not the image of this pipeline'),
  });
});

test('of all images of layouts without any there is none to promote', async () => {
  await expect(permittedNames([placeWith()], { policy })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

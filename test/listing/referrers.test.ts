import { expect, test } from 'vitest';
import type { ContentSource } from '../../src/content/source.ts';
import type { LayoutEntries } from '../../src/oci/image-index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { Listing } from '../../src/listing/listing.ts';
import { tempFolder } from '../layout/folders.ts';
import { addSample, sampleImage, sampleReferrer } from '../layout/sample-images.ts';

const IMAGES = ['a', 'b', 'c', 'd'].map((text) => sampleImage([text]));

test('one walk answers what refers to any content, until the entries change', async () => {
  const layout = await Layout.create(tempFolder());
  await layout.update(async (content) => {
    for (const image of IMAGES) {
      await addSample(content, image);
      await addSample(content, sampleReferrer(image.root));
    }
  });
  let opened = 0;
  const content: ContentSource = {
    has: async (descriptor) => layout.has(descriptor),
    open: async (descriptor) => {
      opened += 1;
      return layout.open(descriptor);
    },
  };
  const index = async (): Promise<LayoutEntries> => ({ manifests: await layout.entries(), unread: [] });
  const listing = new Listing({ content, index, place: 'here' });
  for (const { root } of IMAGES) expect(await listing.referrers(root)).toHaveLength(1);
  expect(opened).toBe(2 * IMAGES.length);
  const [{ root } = expect.fail()] = IMAGES;
  await layout.update(async (transaction) => addSample(transaction, sampleReferrer(root, 'another')));
  expect(await listing.referrers(root)).toHaveLength(2);
});

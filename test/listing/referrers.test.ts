import { expect, test } from 'vitest';
import type { ContentSource } from '../../src/content/source.ts';
import type { LayoutEntries } from '../../src/oci/image-index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { Listing } from '../../src/listing/listing.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_INDEX } from '../../src/oci/media-types.ts';
import { tempFolder } from '../layout/folders.ts';
import { MemoryContent } from '../support/memory-content.ts';
import { addSample, sampleImage, sampleReferrer } from '../../src/testing/sample-images.ts';

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

/** How many documents are opened to find the referrers of n images below n indexes that all list the same n indexes. */
async function opensOf(n: number): Promise<number> {
  const image = sampleImage(['a']);
  const blobs = image.blobs.map(([, bytes]) => bytes);
  const indexOf = (manifests: Descriptor[], note: string): Descriptor => {
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests, annotations: { note } }),
    );
    blobs.push(bytes);
    return { mediaType: OCI_INDEX, digest: digestOf(bytes), size: bytes.length };
  };
  const numbers = Array.from({ length: n }, (_, i) => i);
  const lower = numbers.map((i) => indexOf([image.root], `lower ${i}`));
  const all = indexOf(lower, 'all');
  const manifests = numbers.map((i) => indexOf([all], `upper ${i}`));
  const memory = new MemoryContent(blobs);
  let opened = 0;
  const content: ContentSource = {
    has: async (descriptor) => memory.has(descriptor),
    open: async (descriptor) => {
      opened += 1;
      return memory.open(descriptor);
    },
  };
  const listing = new Listing({ content, index: async () => ({ manifests, unread: [] }), place: 'here' });
  for (const root of manifests) expect(await listing.referrers(root)).toEqual([]);
  return opened;
}

test('a document is read once, however many entries lead to it', async () => {
  expect(await opensOf(20)).toBe(20 + 1 + 20 + 1);
  expect(await opensOf(40)).toBe(40 + 1 + 40 + 1);
});

import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { placeOf, withDocuments } from '../../src/content/overlay.ts';
import type { ContentSource } from '../../src/content/source.ts';
import { chainSources } from '../../src/content/source.ts';
import { keepDocuments } from '../../src/image/keep-documents.ts';
import { omittedContent } from '../../src/image/omitted-content.ts';
import { readImage } from '../../src/image/image.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import { OCI_LAYER } from '../../src/oci/media-types.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { makeCargo } from '../docker/cargo.ts';

const BLOB = describeBytes(Buffer.from('a layer'));
const DOCUMENT = { descriptor: describeBytes(Buffer.from('{}')), bytes: Buffer.from('{}') };
const ABSENT: ContentSource = {
  has: async () => false,
  open: async () => Readable.from([]),
};
/** Content that passes in one order. */
const PASSING: ContentSource = {
  has: async () => true,
  open: async () => Readable.from([]),
  isRemote: async () => true,
  position: ({ digest }) => (digest === BLOB.digest ? 7 : undefined),
};

/** An image with a layer that no registry may distribute, which its place need not have. */
async function withForeignLayer(content: ContentSource): Promise<ContentSource> {
  const { root, source } = makeCargo();
  const image = await readImage(source, root);
  const [first] = image.manifest.value.layers;
  if (first !== undefined) first.mediaType = OCI_LAYER.replace('layer', 'layer.nondistributable');
  return omittedContent({ content, read: [image], image: { root, names: [], annotations: {} } });
}

test.each<[string, (source: ContentSource) => ContentSource | Promise<ContentSource>]>([
  ['a place', (source) => placeOf(source, new MemoryStore())],
  ['further documents', (source) => withDocuments(source, [DOCUMENT])],
  ['a chain of places', (source) => chainSources([ABSENT, source])],
  ['what keeps documents', (source) => keepDocuments(source)],
  ['an image with a foreign layer', withForeignLayer],
])('%s passes on the position of content', async (_, wrap) => {
  const wrapped = await wrap(PASSING);
  expect(wrapped).not.toBe(PASSING);
  expect(wrapped.position?.(BLOB)).toBe(7);
  expect(wrapped.position?.(DOCUMENT.descriptor)).toBeUndefined();
});

import { expect, test } from 'vitest';
import type { ImageReference } from '../../src/image/reference.ts';
import { buildReference, IMAGE_REFERENCE, readReference } from '../../src/image/reference.ts';
import { REVISION } from '../../src/oci/annotations.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { buildIndex } from '../../src/oci/image-index.ts';
import type { Document } from '../../src/oci/manifest.ts';
import { buildArtifact, buildManifest, EMPTY_CONFIG, toDocument } from '../../src/oci/manifest.ts';
import { once } from '../../src/stream/tap.ts';
import { fakeDigest } from '../oci/documents.ts';
import { MemoryContent } from '../support/memory-content.ts';

const CONFIG = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: fakeDigest('c'), size: 9 };
const MANIFEST = buildManifest(CONFIG, []);
const OTHER = buildManifest({ ...CONFIG, digest: fakeDigest('d') }, []);
const INDEX = buildIndex([MANIFEST.descriptor]);
const GRAPH: ImageReference = {
  id: CONFIG.digest,
  image: CONFIG.digest,
  diffIds: [fakeDigest('1'), fakeDigest('2')],
  platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
  created: '2026-01-02T03:04:05Z',
  labels: { [REVISION]: 'a'.repeat(40) },
  documents: [],
  daemon: { id: 'ABCD:EFGH', name: 'runner-3', root: '/var/lib/docker' },
};
const CONTAINERD = { ...GRAPH, image: MANIFEST.descriptor.digest, documents: [MANIFEST] };
const NESTED = { ...GRAPH, image: INDEX.descriptor.digest, documents: [INDEX, MANIFEST] };

async function contentOf(documents: readonly Document[]): Promise<MemoryContent> {
  const content = new MemoryContent();
  for (const { descriptor, bytes } of documents) await content.put(descriptor, once(bytes));
  return content;
}

/** Reads a reference whose document has this text. */
async function readText(text: string): Promise<unknown> {
  const document = toDocument(IMAGE_REFERENCE, text);
  const manifest = buildArtifact({ artifactType: IMAGE_REFERENCE, layers: [document.descriptor] });
  return readReference(await contentOf([EMPTY_CONFIG, document, manifest]), manifest.descriptor);
}

test.each<[string, ImageReference]>([
  ['by its config', GRAPH],
  ['by its manifest', CONTAINERD],
  ['by its index', NESTED],
])('a reference to an image that a daemon names %s is read as it was written', async (_, reference) => {
  const { root, documents } = buildReference(reference);
  expect(root).toMatchObject({ artifactType: IMAGE_REFERENCE, platform: reference.platform });
  expect(await readReference(await contentOf(documents), root)).toEqual(reference);
});

test('the same reference has the same bytes, and of the labels only the commit', () => {
  const { root } = buildReference({ ...GRAPH, labels: { ...GRAPH.labels, secret: 'x' } });
  expect(root).toEqual(buildReference(GRAPH).root);
});

test.each<[string, Descriptor | undefined]>([
  ['an artifact of another type', undefined],
  ['a referrer', CONFIG],
])('%s is no reference', async (_, subject) => {
  const [, document] = buildReference(GRAPH).documents;
  const artifactType = subject === undefined ? 'application/vnd.example' : IMAGE_REFERENCE;
  const manifest = buildArtifact({ artifactType, layers: [document!.descriptor], subject });
  const content = await contentOf([EMPTY_CONFIG, document!, manifest]);
  expect(await readReference(content, manifest.descriptor)).toBeUndefined();
});

test.each<[string, Partial<ImageReference>]>([
  ['a manifest of another config', { ...CONTAINERD, image: OTHER.descriptor.digest, documents: [OTHER] }],
  ['a manifest that is not the image', { ...CONTAINERD, documents: [OTHER] }],
  ['a config that is not the image', { ...GRAPH, image: fakeDigest('e') }],
  ['two manifests', { ...CONTAINERD, documents: [MANIFEST, MANIFEST] }],
  ['an index alone', { ...NESTED, documents: [INDEX] }],
  ['an index that lists another manifest', { ...NESTED, documents: [INDEX, OTHER] }],
  ['three documents', { ...NESTED, documents: [INDEX, MANIFEST, MANIFEST] }],
])('%s is refused', async (_, changed) => {
  const { root, documents } = buildReference({ ...GRAPH, ...changed });
  const reading = readReference(await contentOf(documents), root);
  await expect(reading).rejects.toMatchObject({ code: 'MALFORMED' });
});

test.each([
  '{}',
  '[]',
  JSON.stringify({ config: CONFIG.digest, image: CONFIG.digest, diffIds: [], documents: [] }),
  Buffer.from(buildReference(GRAPH).documents[1]!.bytes).toString().replace('"daemon"', '"Daemon"'),
  Buffer.from(buildReference(GRAPH).documents[1]!.bytes).toString().replace('{', '{"config":"x",'),
  Buffer.from(buildReference(GRAPH).documents[1]!.bytes).toString().replace('runner-3', ''),
])('the document %s is refused', async (text) => {
  await expect(readText(text)).rejects.toMatchObject({ code: 'MALFORMED' });
});

test('a second layer is refused', async () => {
  const [, document] = buildReference(GRAPH).documents;
  const layers = [document!.descriptor, document!.descriptor];
  const manifest = buildArtifact({ artifactType: IMAGE_REFERENCE, layers });
  const content = await contentOf([EMPTY_CONFIG, document!, manifest]);
  await expect(readReference(content, manifest.descriptor)).rejects.toMatchObject({ code: 'MALFORMED' });
});

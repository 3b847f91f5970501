import { describe, expect, test } from 'vitest';
import { placeOf } from '../../../../src/content/overlay.ts';
import type { SavedLayer } from '../../../../src/content/layer.ts';
import type { Descriptor } from '../../../../src/oci/descriptor.ts';
import { digestOf } from '../../../../src/oci/digest.ts';
import { buildManifest } from '../../../../src/oci/manifest.ts';
import { OCI_CONFIG, OCI_LAYER } from '../../../../src/oci/media-types.ts';
import { fromLayout } from '../../../../src/verbs/save/sources/place.ts';
import { describeBytes } from '../../../../src/testing/sample-images.ts';
import { makeCargo, makeIndexCargo } from '../../../docker/cargo.ts';
import { json } from '../../../oci/documents.ts';
import { MemoryContent } from '../../../support/memory-content.ts';

const APP = makeCargo({ layers: ['base', 'app'] });
const TOOLS = makeCargo({ layers: ['base', 'tools'] });
const FOREIGN = 'application/vnd.oci.image.layer.nondistributable.v1.tar';

const ingest = (): never => expect.fail('nothing is ingested');

/** Copies an image as a save out of a layout does. */
async function copyImage(
  source: MemoryContent,
  target: MemoryContent,
  root: Descriptor,
  { onRead = () => {} }: { onRead?: (bytes: number) => void } = {},
): Promise<SavedLayer[]> {
  const image = { root, names: [], annotations: {} };
  const from = placeOf(source, {
    images: async () => [image],
    resolve: async () => [image],
    referrers: async () => [],
  });
  const [copied] = await fromLayout(from, { from, content: target, ingest, keepManifests: true, onRead });
  return copied?.layers ?? expect.fail('no image');
}

test('an image arrives byte for byte, and its layers are told bottom first', async () => {
  const target = new MemoryContent();
  let read = 0;
  const layers = await copyImage(APP.source, target, APP.root, { onRead: (bytes) => (read += bytes) });
  expect(target.blobs).toEqual(APP.source.blobs);
  expect(layers).toEqual(
    APP.layers.map((blob, i) => ({
      ...blob,
      diffId: APP.diffIds[i],
      uncompressedSize: 2048,
      status: 'written',
    })),
  );
  const [config] = [...APP.source.blobs].filter(([digest]) => digest === APP.configDigest);
  expect(read).toBe(APP.layers.reduce((sum, { size }) => sum + size, config?.[1].length ?? 0));
});

test('what the target has is not read again', async () => {
  const target = new MemoryContent();
  await copyImage(APP.source, target, APP.root);
  const source = new MemoryContent(TOOLS.source.blobs.values());
  source.blobs.delete(TOOLS.layers[0]?.digest ?? 'sha256:');
  const layers = await copyImage(source, target, TOOLS.root);
  expect(layers.map(({ status }) => status)).toEqual(['reused', 'written']);
});

test('damaged content of the target is replaced', async () => {
  const target = new MemoryContent();
  await copyImage(APP.source, target, APP.root);
  const [layer] = APP.layers;
  if (layer === undefined) throw new Error('no layer');
  target.blobs.set(layer.digest, Buffer.alloc(layer.size, 1));
  const layers = await copyImage(APP.source, target, APP.root);
  expect(layers.map(({ status }) => status)).toEqual(['written', 'reused']);
  expect(target.blobs).toEqual(APP.source.blobs);
});

test('of an index everything comes along, and each layer is told once', async () => {
  const index = makeIndexCargo([APP, TOOLS], ['amd64', 'arm64']);
  const target = new MemoryContent();
  const layers = await copyImage(index.source, target, index.root);
  expect(target.blobs).toEqual(index.source.blobs);
  expect(layers.map(({ diffId }) => diffId)).toEqual([...APP.diffIds, TOOLS.diffIds[1]]);
});

test('of a sparse index what is present is copied: here its only image', async () => {
  const index = makeIndexCargo([APP, TOOLS], ['amd64', 'arm64']);
  index.source.blobs.delete(APP.root.digest);
  const target = new MemoryContent();
  const layers = await copyImage(index.source, target, index.root);
  expect(layers.map(({ diffId }) => diffId)).toEqual(TOOLS.diffIds);
  expect([...target.blobs.keys()].toSorted()).toEqual([...TOOLS.source.blobs.keys()].toSorted());
});

describe('damage in the source', () => {
  const [base, top] = APP.layers as [Descriptor, Descriptor];
  test.each([
    [
      'a flipped byte',
      top,
      (bytes: Buffer) => Buffer.from(bytes.with(20, (bytes[20] ?? 0) ^ 1)),
      'DIGEST_MISMATCH',
    ],
    ['a byte too few', top, (bytes: Buffer) => bytes.subarray(1), 'SIZE_MISMATCH'],
    [
      'a flipped byte in the manifest',
      APP.root,
      (bytes: Buffer) => Buffer.from(bytes.with(0, 0)),
      'DIGEST_MISMATCH',
    ],
    ['a missing layer', base, undefined, 'NOT_FOUND'],
  ])('%s is an error that names the blob', async (_, { digest }, damage, code) => {
    const source = new MemoryContent(APP.source.blobs.values());
    const bytes = Buffer.from(source.blobs.get(digest) ?? []);
    if (damage === undefined) source.blobs.delete(digest);
    else source.blobs.set(digest, damage(bytes));
    const target = new MemoryContent();
    await expect(copyImage(source, target, APP.root)).rejects.toMatchObject({
      code,
      facts: { digest },
    });
    expect(target.blobs.has(digest)).toBe(false);
  });

  test('intact bytes of another diffID are an error, also where the target had them', async () => {
    const { source, root } = imageOf(Buffer.from('a layer'), OCI_LAYER, 'another');
    const expected = { code: 'DIGEST_MISMATCH', facts: { expected: digestOf(Buffer.from('another')) } };
    await expect(copyImage(source, new MemoryContent(), root)).rejects.toMatchObject(expected);
    await expect(copyImage(source, source, root)).rejects.toMatchObject(expected);
  });
});

test.each([
  [true, 1],
  [false, 0],
])('a layer that may not be distributed comes along where it is there: %s', async (isThere, count) => {
  const { source, root, layer } = imageOf(Buffer.from('a layer'), FOREIGN, 'a layer');
  if (!isThere) source.blobs.delete(layer.digest);
  const target = new MemoryContent();
  expect(await copyImage(source, target, root)).toHaveLength(count);
  expect(target.blobs.has(layer.digest)).toBe(isThere);
});

/** An image of one layer whose config tells a diffID of something. */
function imageOf(
  bytes: Uint8Array,
  mediaType: string,
  promised: string,
): { source: MemoryContent; root: Descriptor; layer: Descriptor } {
  const layer = describeBytes(bytes, mediaType);
  const config = json({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [digestOf(Buffer.from(promised))] },
  });
  const manifest = buildManifest(describeBytes(config, OCI_CONFIG), [layer]);
  return { source: new MemoryContent([bytes, config, manifest.bytes]), root: manifest.descriptor, layer };
}

import { expect, test } from 'vitest';
import type { Image } from '../../src/image/image.ts';
import { footprint, layerOrigins } from '../../src/image/footprint.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { HistoryEntry } from '../../src/oci/config.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { addSample, sampleImage, sampleIndex } from '../../src/testing/sample-images.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const APP = sampleImage(['base', 'app']);
const TOOLS = sampleImage(['base', 'tools, which take more']);

function blob(i: number): Descriptor {
  return { mediaType: 'layer', digest: digestOf(Buffer.from(`${i}`)), size: i };
}

/** The part of an image that tells where its layers come from. */
function imageWith(history: HistoryEntry[] | undefined, layers: number): Pick<Image, 'config' | 'layers'> {
  const value = { os: 'linux', architecture: 'amd64', rootfs: { diff_ids: [] }, history };
  return {
    config: { descriptor: blob(0), bytes: Buffer.alloc(0), value },
    layers: Array.from({ length: layers }, (_, i) => ({ diffId: blob(i).digest, blob: blob(i) })),
  };
}

test('each blob of several images counts once, the largest layer first', async () => {
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  await layout.update(async (transaction) => {
    for (const image of [APP, TOOLS]) await addSample(transaction, image);
  });
  const { bytes, layers } = await footprint(layout, [APP.root, TOOLS.root, APP.root]);
  const blobs = new Map([...APP.blobs, ...TOOLS.blobs].map(([{ digest, size }]) => [digest, size]));
  expect(bytes).toBe([...blobs.values()].reduce((sum, size) => sum + size, 0));
  const sizes = layers.map(({ size }) => size);
  expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  expect(new Set(layers.map(({ digest }) => digest))).toEqual(
    new Set([...APP.layers, ...TOOLS.layers].map(({ digest }) => digest)),
  );
});

test('what an index lacks takes up nothing', async () => {
  const index = sampleIndex([APP, TOOLS]);
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  await layout.update((transaction) => addSample(transaction, index, [], {}, [TOOLS.root, TOOLS.config]));
  const { bytes } = await footprint(layout, [index.root]);
  const sizes = [...APP.blobs.map(([{ size }]) => size), index.root.size];
  expect(bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
});

test.each([
  ['COPY app /app # buildkit', 'COPY app /app'],
  [
    'RUN /bin/sh -c apt-get update  &&   apt-get install -y x # buildkit',
    'RUN apt-get update && apt-get install -y x',
  ],
  ['/bin/sh -c make', 'RUN make'],
  ['|1 VERSION=3 /bin/sh -c make', 'RUN make'],
  ['/bin/sh -c #(nop) ADD file:1 in / ', 'ADD file:1 in /'],
  ['', undefined],
])('%j was the instruction %j', (created_by, createdBy) => {
  expect(layerOrigins(imageWith([{ created_by }], 1))[0]?.createdBy).toBe(createdBy);
});

test('steps without a layer are passed over', () => {
  const history = [
    { created_by: 'FROM' },
    { created_by: 'ENV A=1', empty_layer: true },
    { created_by: 'COPY . .', empty_layer: false },
  ];
  expect(layerOrigins(imageWith(history, 2)).map(({ createdBy }) => createdBy)).toEqual(['FROM', 'COPY . .']);
});

test.each([
  ['none', undefined],
  ['a shorter one', [{ created_by: 'COPY . .' }]],
])('with %s as history no layer has an instruction', (_, history) => {
  expect(layerOrigins(imageWith(history, 2)).map(({ createdBy }) => createdBy)).toEqual([
    undefined,
    undefined,
  ]);
});

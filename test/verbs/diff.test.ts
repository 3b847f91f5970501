import { join } from 'node:path';
import { expect, test } from 'vitest';
import { diff } from '../../src/verbs/diff.ts';
import { Layout } from '../../src/layout/layout.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { buildManifest } from '../../src/oci/manifest.ts';
import { OCI_CONFIG, OCI_LAYER } from '../../src/oci/media-types.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function layoutOf(...images: [SampleImage, ...string[]][]): Promise<Layout> {
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update(async (transaction) => {
    for (const [image, ...names] of images) await addSample(transaction, image, names);
  });
  return layout;
}

/** An image with uncompressed layers, each with its instruction, and a config of its own. */
function built(steps: [text: string, createdBy: string][], config: object, more: object = {}): SampleImage {
  const layers = steps.map(([text]) => Buffer.from(`layer ${text}`));
  const diffIds = layers.map((bytes) => digestOf(bytes));
  const history = steps.map(([, created_by]) => ({ created_by }));
  const value = {
    architecture: 'amd64',
    os: 'linux',
    config,
    ...more,
    history,
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
  const bytes = Buffer.from(JSON.stringify(value));
  const descriptors = layers.map((layer) => describeBytes(layer, OCI_LAYER));
  const described = describeBytes(bytes, OCI_CONFIG);
  const manifest = buildManifest(described, descriptors);
  const blobs = [...layers.map((layer, i) => [descriptors[i], layer] as const), [described, bytes] as const];
  return {
    root: manifest.descriptor,
    config: described,
    layers: descriptors,
    diffIds,
    blobs: [
      ...blobs.flatMap(([descriptor, content]): SampleImage['blobs'] =>
        descriptor ? [[descriptor, content]] : [],
      ),
      [manifest.descriptor, manifest.bytes],
    ],
  };
}

const OLD = built(
  [
    ['base', 'ADD rootfs.tar /'],
    ['lib', 'RUN make lib'],
    ['app', 'COPY app /'],
  ],
  { Env: ['A=1'], Cmd: ['app'], User: null },
);
const NEW = built(
  [
    ['base', 'ADD rootfs.tar /'],
    ['lib', 'RUN make lib'],
    ['app 2', 'COPY app /'],
  ],
  { Env: ['A=2'], Cmd: ['app'], Labels: { a: 'b' } },
  { created: '2026-01-01T00:00:00Z' },
);

/** What is told of a layer. */
function toldLayer(image: SampleImage, i: number, createdBy: string): object {
  return { diffId: image.diffIds[i], size: image.layers[i]?.size, createdBy };
}

test('two images: layers that they share, those of each with instruction and size, and what differs in their configs', async () => {
  const [a, b] = [await layoutOf([OLD, 'app:1']), await layoutOf([NEW, 'app:2'])];
  const result = await diff({ a: { place: a }, b: { place: b } });
  expect(result.layers).toEqual({
    shared: [toldLayer(OLD, 0, 'ADD rootfs.tar /'), toldLayer(OLD, 1, 'RUN make lib')],
    onlyA: [toldLayer(OLD, 2, 'COPY app /')],
    onlyB: [toldLayer(NEW, 2, 'COPY app /')],
  });
  expect(result.bytes).toEqual({
    shared: (OLD.layers[0]?.size ?? 0) + (OLD.layers[1]?.size ?? 0),
    onlyA: OLD.layers[2]?.size,
    onlyB: NEW.layers[2]?.size,
  });
  expect(result.config).toEqual([
    { image: 'linux/amd64', path: 'config.Env', a: ['A=1'], b: ['A=2'] },
    { image: 'linux/amd64', path: 'config.Labels', b: { a: 'b' } },
    { image: 'linux/amd64', path: 'created', b: '2026-01-01T00:00:00Z' },
  ]);
  expect(result.images).toEqual({ onlyA: [], onlyB: [] });
});

test('two images of one layout are chosen by name', async () => {
  const place = await layoutOf([OLD, 'app:1'], [NEW, 'app:2']);
  const result = await diff({ a: { place, images: ['app:1'] }, b: { place, images: ['app:2'] } });
  expect(result.layers.onlyB.map(({ diffId }) => diffId)).toEqual([NEW.diffIds[2]]);
});

test('a layer is the same in whatever compression', async () => {
  const gzipped = sampleImage(['base']);
  const plain = built([['base', 'ADD rootfs.tar /']], {});
  const result = await diff({
    a: { place: await layoutOf([gzipped]) },
    b: { place: await layoutOf([plain]) },
  });
  expect(result.layers).toMatchObject({ shared: [{ diffId: plain.diffIds[0] }], onlyA: [], onlyB: [] });
});

test('in layouts of several images those of one name and platform are compared, others told', async () => {
  const arm = sampleImage(['base', 'arm'], 'arm64');
  const [a, b] = [
    await layoutOf([OLD, 'app:1'], [arm, 'arm:1']),
    await layoutOf([NEW, 'app:1'], [OLD, 'old:1']),
  ];
  const result = await diff({ a: { place: a }, b: { place: b } });
  expect(new Set(result.config.map(({ image }) => image))).toEqual(new Set(['app:1 (linux/amd64)']));
  expect(result.images).toEqual({ onlyA: ['arm:1 (linux/arm64)'], onlyB: ['old:1 (linux/amd64)'] });
});

test('an image and itself differ in nothing', async () => {
  const place = await layoutOf([OLD, 'app:1']);
  const result = await diff({ a: { place }, b: { place } });
  expect(result).toMatchObject({
    layers: { onlyA: [], onlyB: [] },
    config: [],
    images: { onlyA: [], onlyB: [] },
  });
  expect(result.layers.shared).toHaveLength(3);
});

test('an image that is not there is an error', async () => {
  const place = await layoutOf([OLD, 'app:1']);
  await expect(diff({ a: { place }, b: { place, images: ['none:1'] } })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

import { expect, test } from 'vitest';
import { inspect } from '../../src/verbs/inspect.ts';
import { Layout } from '../../src/layout/layout.ts';
import { addSample, sampleImage, sampleIndex } from '../../src/testing/sample-images.ts';
import { listFiles } from '../support/list-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const APP = sampleImage(['base', 'lib', 'app']);
const TOOLS = sampleImage(['base', 'tools']);
const size = (layers: readonly { size: number }[]): number =>
  layers.reduce((sum, layer) => sum + layer.size, 0);

async function newLayout(): Promise<Layout> {
  return Layout.create(`${await temporaryFolder()}/layout`);
}

test('images are told with their names, digests and layers, and what they share', async () => {
  const layout = await newLayout();
  await layout.update(async (transaction) => {
    await addSample(transaction, APP, ['app:1', 'app:latest'], { 'dev.drayage.gitlab.pipeline-id': '4711' });
    await addSample(transaction, TOOLS);
  });
  const { images, bytes } = await inspect({ from: [layout] });
  expect(images).toEqual([
    {
      names: ['app:1', 'app:latest'],
      ref: `app:pipeline-4711-${APP.config.digest.slice(7, 19)}`,
      id: APP.config.digest,
      digest: APP.root.digest,
      platform: 'linux/amd64',
      created: null,
      omitted: [],
      attached: [],
      annotations: expect.objectContaining({ 'dev.drayage.gitlab.pipeline-id': '4711' }) as object,
      size: size(APP.layers),
      layers: APP.layers.map((layer, i) => ({
        ...layer,
        diffId: APP.diffIds[i],
        createdBy: null,
        sharedBy: i === 0 ? 2 : 1,
        omitted: false,
        missing: false,
      })),
    },
    expect.objectContaining({
      names: [],
      ref: `drayage:drayage-${TOOLS.config.digest.slice(7, 19)}`,
      id: TOOLS.config.digest,
    }),
  ]);
  const unshared = size(APP.layers) + size(TOOLS.layers);
  expect(bytes).toEqual({ stored: unshared - (APP.layers[0]?.size ?? 0), unshared, omitted: 0 });
});

test('of a multi-platform image each platform is told by itself, under the digest of the index', async () => {
  const index = sampleIndex([APP, sampleImage(['base', 'arm'], 'arm64')]);
  const layout = await newLayout();
  await layout.update((transaction) => addSample(transaction, index, ['app:1']));
  const { images } = await inspect({ from: [layout] });
  expect(images.map(({ platform, digest, ref }) => ({ platform, digest, ref }))).toEqual(
    ['linux/amd64', 'linux/arm64'].map((platform) => ({
      platform,
      digest: index.root.digest,
      ref: `app:drayage-${index.root.digest.slice(7, 19)}`,
    })),
  );
});

test('only what is chosen is told, and only it counts', async () => {
  const layout = await newLayout();
  await layout.update(async (transaction) => {
    await addSample(transaction, APP, ['app:1']);
    await addSample(transaction, TOOLS, ['tools:1']);
  });
  const { images, bytes } = await inspect({ from: [layout], images: ['tools:1'] });
  expect(images.map(({ names }) => names)).toEqual([['tools:1']]);
  expect(images[0]?.layers.map(({ sharedBy }) => sharedBy)).toEqual([1, 1]);
  expect(bytes.stored).toBe(size(TOOLS.layers));
  await expect(inspect({ from: [layout], images: ['none:1'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('nothing is written, and a layer need not be there', async () => {
  const layout = await newLayout();
  await layout.update((transaction) => addSample(transaction, APP, ['app:1']));
  const { rm } = await import('node:fs/promises');
  for (const { digest } of APP.layers) await rm(`${layout.path}/blobs/${digest.replace(':', '/')}`);
  const before = await listFiles(layout.path);
  expect((await inspect({ from: [layout] })).images).toHaveLength(1);
  expect(await listFiles(layout.path)).toEqual(before);
});

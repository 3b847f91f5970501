import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DrayageError } from '../../src/errors.ts';
import { fetchImages } from '../../src/verbs/fetch.ts';
import type { ArtifactLayout } from '../../src/gitlab/artifact-layout.ts';
import { BlobCache } from '../../src/layout/blob-cache.ts';
import { Layout } from '../../src/layout/layout.ts';
import { localFirst } from '../../src/layout/local-first.ts';
import { load } from '../../src/verbs/load/load.ts';
import { OMITTED_LAYERS } from '../../src/image/annotations.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { makeCargo, makeIndexCargo } from '../docker/cargo.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { clientOf, layoutFiles, noise, zipped } from '../gitlab/artifacts.ts';
import { sampleImage, sampleReferrer } from '../../src/testing/sample-images.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { FakeGitLab } from '../support/fake-gitlab.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { zip } from '../support/zip-bytes.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';

const APP = makeCargo({ layers: [noise(400_000), noise(300_000, 2), noise(200_000, 3)] });
const SIZE = APP.layers.reduce((sum, { size }) => sum + size, 0);
const NAMES = {
  'io.containerd.image.name': 'docker.io/library/app:1',
  'dev.drayage.gitlab.pipeline-id': '4711',
};

interface Shipped {
  fake: FakeGitLab;
  place: ArtifactLayout;
}

const blobsOf = ({ source }: TestCargo): [Descriptor, Uint8Array][] =>
  [...source.blobs.values()].map((bytes) => [describeBytes(bytes), bytes]);

/** An artifact with these blobs and entries of index.json. */
async function ship(blobs: [Descriptor, Uint8Array][], manifests: Descriptor[]): Promise<Shipped> {
  const archive = zip(zipped(layoutFiles(blobs, { manifests }), { method: 'stored' }));
  const fake = await FakeGitLab.start({ jobs: [{ id: 123, name: 'build', archive }] });
  const client = clientOf(fake);
  onTestFinished(() => client[Symbol.asyncDispose]());
  const artifact = await client.openArtifact({ kind: 'id', jobId: '123', project: '12' });
  const [place] = artifact.layouts;
  if (place === undefined) throw new Error('no layout');
  return { fake, place };
}

const shipApp = (): Promise<Shipped> => ship(blobsOf(APP), [{ ...APP.root, annotations: NAMES }]);

async function newLayout(): Promise<Layout> {
  return Layout.create(join(await temporaryFolder(), 'layout'));
}

describe('fetch', () => {
  test('asks who made an image before any layer of it is asked for', async () => {
    const { fake, place } = await shipApp();
    const to = await newLayout();
    const before = fake.seen.reduce((sum, { sent }) => sum + sent, 0);
    const asked: unknown[] = [];
    const fetching = fetchImages({
      from: [place],
      to,
      authenticate: async ({ names }, where) => {
        asked.push(names, where);
        throw new DrayageError('POLICY', 'of nobody');
      },
    });
    await expect(fetching).rejects.toMatchObject({ code: 'POLICY' });
    expect(asked).toEqual([['app:1'], place]);
    expect(fake.seen.reduce((sum, { sent }) => sum + sent, 0) - before).toBeLessThan(100_000);
    expect(await to.images()).toEqual([]);
  });

  test('brings an image with its names and annotations, each blob once', async () => {
    const { fake, place } = await shipApp();
    const to = await newLayout();
    const { images, bytes, layout } = await fetchImages({ from: [place], to });
    const ref = `app:pipeline-4711-${APP.configDigest.slice(7, 19)}`;
    expect(images).toEqual([{ name: 'app:1', ref, id: APP.configDigest, digest: APP.root.digest }]);
    expect(layout).toBe(to.path);
    expect(bytes.fetched).toBe(bytes.total);
    expect(bytes.reused).toBe(0);
    expect(fake.sent).toBeLessThan(SIZE + 64 * 1024);
    expect(new Set(fake.ranges).size).toBe(fake.ranges.length);
    expect(await to.images()).toMatchObject([{ names: ['app:1'], root: { digest: APP.root.digest } }]);
    expect((await verify({ layout: to })).problems).toEqual([]);
  });

  test('opens each document once, of an index with what refers to a part of it', async () => {
    const arm = makeCargo({ layers: ['arm'], architecture: 'arm64' });
    const both = makeIndexCargo([APP, arm], ['amd64', 'arm64']);
    const signature = sampleReferrer(arm.root);
    const { fake, place } = await ship([...blobsOf(both), ...signature.blobs], [both.root, signature.root]);
    await fetchImages({ from: [place], to: await newLayout() });
    expect(new Set(fake.ranges).size).toBe(fake.ranges.length);
  });

  test('asks only for what is missing', async () => {
    const { fake, place } = await shipApp();
    const to = await newLayout();
    await fetchImages({ from: [place], to });
    const before = fake.sent;
    const again = await fetchImages({ from: [place], to });
    expect(again.bytes.fetched).toBe(0);
    expect(again.bytes.reused).toBeGreaterThanOrEqual(SIZE);
    expect(fake.sent).toBe(before);
  });

  test('brings what is damaged here once more', async () => {
    const { place } = await shipApp();
    const to = await newLayout();
    await fetchImages({ from: [place], to });
    const [layer] = APP.layers;
    const path = join(to.path, 'blobs/sha256', layer?.digest.slice(7) ?? '');
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(0, 10, 20));
    const again = await fetchImages({ from: [place], to });
    expect(again.bytes.fetched).toBe(layer?.size);
    expect((await verify({ layout: to })).problems).toEqual([]);
  });

  test('leaves nothing where a blob is damaged there', async () => {
    const [[layer, bytes] = [], ...others] = blobsOf(APP);
    if (layer === undefined || bytes === undefined) throw new Error('no layer');
    const { place } = await ship(
      [[layer, Buffer.from(bytes).fill(0, 10, 20)], ...others],
      [{ ...APP.root, annotations: NAMES }],
    );
    const to = await newLayout();
    await expect(fetchImages({ from: [place], to })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      facts: { digest: layer.digest },
    });
    expect(await to.images()).toEqual([]);
  });

  test('brings all platforms, and what refers to an image', async () => {
    const arm = makeCargo({ layers: ['arm'], architecture: 'arm64' });
    const both = makeIndexCargo([APP, arm], ['amd64', 'arm64']);
    const signature = sampleReferrer(both.root);
    const { place } = await ship([...blobsOf(both), ...signature.blobs], [both.root, signature.root]);
    const to = await newLayout();
    await fetchImages({ from: [place], to });
    expect(await to.referrers(both.root)).toMatchObject([{ digest: signature.root.digest }]);
    expect((await verify({ layout: to })).problems).toEqual([]);
  });

  test('leaves out the layers that were left out there on purpose, and no others', async () => {
    const without = APP.layers[0]?.digest;
    const blobs = blobsOf(APP).filter(([{ digest }]) => digest !== without);
    const annotations = { ...NAMES, [OMITTED_LAYERS]: '1' };
    const thin = await ship(blobs, [{ ...APP.root, annotations }]);
    const to = await newLayout();
    const { bytes } = await fetchImages({ from: [thin.place], to });
    expect(bytes.total).toBeLessThan(SIZE);
    expect(await to.images()).toMatchObject([{ annotations: { [OMITTED_LAYERS]: '1' } }]);
    const broken = await ship(blobs, [{ ...APP.root, annotations: NAMES }]);
    await expect(fetchImages({ from: [broken.place], to: await newLayout() })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('chooses images by name', async () => {
    const tools = sampleImage(['tools']);
    const other = { ...tools.root, annotations: { 'io.containerd.image.name': 'docker.io/library/tools:1' } };
    const { place } = await ship(
      [...blobsOf(APP), ...tools.blobs],
      [{ ...APP.root, annotations: NAMES }, other],
    );
    const to = await newLayout();
    await fetchImages({ from: [place], images: ['tools:1'], to });
    expect((await to.images()).map(({ names }) => names)).toEqual([['tools:1']]);
    await expect(fetchImages({ from: [place], images: ['nope'], to })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('ends with the reason of an abort', async () => {
    const { place } = await shipApp();
    const controller = new AbortController();
    const to = await newLayout();
    const fetching = fetchImages({
      from: [place],
      to,
      signal: controller.signal,
      onProgress: ({ kind }) => kind === 'bytes' && controller.abort(new Error('enough')),
    });
    await expect(fetching).rejects.toThrow('enough');
    expect(await to.images()).toEqual([]);
  });
});

describe('load from an artifact', () => {
  test('moves each blob once where the daemon has nothing', async () => {
    const { fake, place } = await shipApp();
    await load({ from: [place], to: new MemoryEndpoint() });
    expect(fake.sent).toBeLessThan(SIZE + 64 * 1024);
  });

  test('moves less than 64 KB where the daemon has the image', async () => {
    const { fake, place } = await shipApp();
    const daemon = new MemoryEndpoint();
    await daemon.hold(APP.root, APP.source, []);
    const { images } = await load({ from: [place], to: daemon });
    expect(images).toMatchObject([{ status: 'present' }]);
    expect(fake.sent).toBeLessThan(64 * 1024);
  });

  test('takes what is here from here, and keeps the rest for the next time', async () => {
    const { fake, place } = await shipApp();
    const base = makeCargo({ layers: [noise(400_000)] });
    const local = await newLayout();
    await fetchImages({ from: [(await ship(blobsOf(base), [base.root])).place], to: local });
    const cache = await BlobCache.open(join(await temporaryFolder(), 'cache'), { now: Date.now });
    const from = place.over(localFirst([local, cache], cache.filledFrom(place)));
    await load({ from: [from], to: new MemoryEndpoint() });
    expect(fake.sent).toBeLessThan(SIZE - (base.layers[0]?.size ?? 0) + 64 * 1024);
    const before = fake.sent;
    await load({ from: [from], to: new MemoryEndpoint() });
    expect(fake.sent).toBe(before);
  });
});

import { buffer } from 'node:stream/consumers';
import { gzipSync, gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { attach } from '../../src/edit/attach.ts';
import { mutateImage } from '../../src/edit/mutate-image.ts';
import { putLayer } from '../../src/edit/put-layer.ts';
import { copyImage } from '../../src/image/copy.ts';
import { readImage } from '../../src/image/image.ts';
import { proveAll } from '../../src/image/prove.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { buildManifest } from '../../src/oci/manifest.ts';
import { DOCKER_CONFIG, OCI_LAYER } from '../../src/oci/media-types.ts';
import { once } from '../../src/stream/tap.ts';
import {
  addSample,
  chunksOf,
  describeBytes,
  sampleImage,
  sampleIndex,
} from '../../src/testing/sample-images.ts';

const BASE = sampleImage(['base']);
const LAYER = Buffer.from('the tar of a layer');

async function storeWith(...images: (typeof BASE)[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.update(async (transaction) => {
    for (const [i, image] of images.entries()) await addSample(transaction, image, [`base:${i}`]);
  });
  return store;
}

/** A store with an image of this config. */
async function storeOf(config: object, mediaType?: string): Promise<[MemoryStore, Descriptor]> {
  const [layer] = BASE.layers;
  const full = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: BASE.diffIds },
    ...config,
  };
  const bytes = Buffer.from(JSON.stringify(full));
  const descriptor = describeBytes(bytes, mediaType ?? BASE.config.mediaType);
  const layers = [
    {
      ...(layer ?? expect.fail()),
      ...(mediaType && { mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }),
    },
  ];
  const manifest = buildManifest(descriptor, layers);
  const store = await storeWith(BASE);
  await store.update(async (transaction) => {
    await transaction.put(descriptor, once(bytes));
    await transaction.put(manifest.descriptor, once(manifest.bytes));
    transaction.add(manifest.descriptor, ['it:1'], {});
  });
  return [store, manifest.descriptor];
}

/** The config, as JSON, of a variant. */
async function variant(
  [store, root]: [MemoryStore, Descriptor],
  changes: Parameters<typeof mutateImage>[2],
): Promise<any> {
  const made = await store.update(async (transaction) => {
    const image = await mutateImage(transaction, root, changes);
    transaction.add(image, ['variant:1'], {});
    return image;
  });
  return JSON.parse(Buffer.from((await readImage(store, made)).config.bytes).toString());
}

describe('a layer that is put', () => {
  test.each([
    ['none', OCI_LAYER],
    ['gzip', `${OCI_LAYER}+gzip`],
  ] as const)('is stored with %s', async (compress, mediaType) => {
    const store = await storeWith(BASE);
    await store.update(async (transaction) => {
      const { diffId, blob } = await putLayer(transaction, chunksOf(LAYER), { compress, concurrency: 1 });
      expect(diffId).toBe(digestOf(LAYER));
      expect(blob.mediaType).toBe(mediaType);
      const stored = await buffer(await transaction.open(blob));
      expect((compress === 'none' ? stored : gunzipSync(stored)).equals(LAYER)).toBe(true);
    });
  });

  test('stays as it is if it is compressed already', async () => {
    const bytes = gzipSync(LAYER, { level: 9 });
    await (
      await storeWith(BASE)
    ).update(async (transaction) => {
      const layer = await putLayer(transaction, chunksOf(bytes), { compress: 'none', concurrency: 1 });
      expect(layer).toEqual({ diffId: digestOf(LAYER), blob: describeBytes(bytes, `${OCI_LAYER}+gzip`) });
    });
  });

  test('is refused if it is cut off, and named', async () => {
    const cut = gzipSync(LAYER).subarray(0, -9);
    const update = (await storeWith(BASE)).update((transaction) =>
      putLayer(transaction, chunksOf(cut), { name: 'app.tar.gz', concurrency: 1 }),
    );
    await expect(update).rejects.toMatchObject({
      code: 'TRUNCATED',
      message: expect.stringContaining('app.tar.gz'),
    });
  });
});

describe('a variant of an image', () => {
  test('has a further layer, proven and in its history', async () => {
    const store = await storeWith(BASE);
    const made = await store.update(async (transaction) => {
      const layer = await putLayer(transaction, chunksOf(LAYER), { compress: 'gzip', concurrency: 1 });
      const changes = { layers: [{ ...layer, createdBy: 'COPY app /' }], created: '2024-01-02T03:04:05Z' };
      const image = await mutateImage(transaction, BASE.root, changes);
      transaction.add(image, ['app:1'], {});
      return image;
    });
    const image = await readImage(store, made);
    expect(image.layers.map(({ diffId }) => diffId)).toEqual([...BASE.diffIds, digestOf(LAYER)]);
    await proveAll(store, image.layers, {});
    expect(image.config.value).toMatchObject({
      created: '2024-01-02T03:04:05Z',
      history: [{}, { created_by: 'COPY app /' }],
    });
    expect((await store.resolve('base:0'))[0]?.root.digest).toBe(BASE.root.digest);
  });

  test('has any property of how it is run', async () => {
    const config = { ExposedPorts: { '80/tcp': {} }, Healthcheck: { Test: ['NONE'] }, StopSignal: undefined };
    const before = { config: { Cmd: ['sh'], StopSignal: 'SIGTERM' } };
    const after = await variant(await storeOf(before), { config });
    expect(after.config).toEqual({
      Cmd: ['sh'],
      ExposedPorts: { '80/tcp': {} },
      Healthcheck: { Test: ['NONE'] },
    });
  });

  test('has what is named over what its config says', async () => {
    const before = await storeOf({});
    const both = { labels: { a: '1' }, user: 'app', config: { Labels: { b: '2' }, User: 'root' } };
    // @ts-expect-error The properties with a name of their own have one place.
    const after = await variant(before, both);
    expect(after.config).toEqual({ Labels: { a: '1' }, User: 'app' });
  });

  test('gets no property that the image lacks', async () => {
    const [bare, created] = [{ os: undefined, architecture: undefined }, '2024-01-02T03:04:05Z'];
    expect(await variant(await storeOf(bare), { created })).toEqual({
      rootfs: { type: 'layers', diff_ids: BASE.diffIds },
      created,
    });
  });

  test('keeps the history as it is written', async () => {
    const [history, [diffId]] = [[{ created_by: null, comment: '' }], BASE.diffIds];
    const blob = BASE.layers[0] ?? expect.fail();
    const layers = [{ diffId: diffId ?? expect.fail(), blob, createdBy: 'COPY' }];
    const after = await variant(await storeOf({ history, config: null }), { layers });
    expect(after).toMatchObject({ history: [...history, { created_by: 'COPY' }], config: null });
  });

  test('has no empty variables, and the others in their order', async () => {
    const config = { Env: ['PATH=/bin', null, '2=b', 'BARE', '1=a', ''] };
    const after = await variant(await storeOf({ config }), { env: { PATH: '/usr/bin', NEW: '' } });
    expect(after.config.Env).toEqual(['PATH=/usr/bin', '2=b', 'BARE', '1=a', 'NEW=']);
  });

  test('keeps what does not change, also what is unknown here', async () => {
    const config = {
      config: { Env: ['PATH=/bin', 'EMPTY='], Cmd: ['sh'], Labels: { a: '1', b: '2' }, OnBuild: null },
      'x.other': [1],
    };
    const changes = {
      labels: { b: undefined, c: '3' },
      env: { EMPTY: undefined, PATH: '/usr/bin', NEW: 'a=b' },
      user: 'nobody',
      entrypoint: ['/app'],
      workingDir: '/srv',
    };
    expect(await variant(await storeOf(config), changes)).toMatchObject({
      config: {
        Env: ['PATH=/usr/bin', 'NEW=a=b'],
        Cmd: ['sh'],
        Labels: { a: '1', c: '3' },
        OnBuild: null,
        User: 'nobody',
        Entrypoint: ['/app'],
        WorkingDir: '/srv',
      },
      'x.other': [1],
      rootfs: { type: 'layers', diff_ids: BASE.diffIds },
    });
  });

  test.each([
    ['no config', {}],
    ['nulls', { config: { Env: null, Labels: null }, history: null }],
  ])('is made of an image with %s', async (_, config) => {
    const made = await variant(await storeOf(config), { labels: { a: '1' }, env: { B: '2' } });
    expect(made).toMatchObject({ config: { Labels: { a: '1' }, Env: ['B=2'] } });
  });

  test('has the same bytes each time', async () => {
    const [first, second] = [await storeWith(BASE), await storeWith(BASE)];
    const digests = await Promise.all(
      [first, second].map((store) =>
        store.update(
          async (transaction) => (await mutateImage(transaction, BASE.root, { cmd: ['x'] })).digest,
        ),
      ),
    );
    expect(digests[0]).toBe(digests[1]);
    expect(digests[0]).not.toBe(BASE.root.digest);
  });

  test("has OCI's media types, also if the image has docker's", async () => {
    const [store, root] = await storeOf({}, DOCKER_CONFIG);
    await store.update(async (transaction) => {
      const { manifest } = await readImage(transaction, await mutateImage(transaction, root, { cmd: ['x'] }));
      expect([manifest.value.config, ...manifest.value.layers].map(({ mediaType }) => mediaType)).toEqual([
        BASE.config.mediaType,
        `${OCI_LAYER}+gzip`,
      ]);
    });
  });

  test('is made of the image for one platform', async () => {
    const store = await storeWith(sampleIndex([BASE, sampleImage(['arm'], 'arm64')]));
    const [image] = await store.images();
    await store.update(async (transaction) => {
      const platform = { os: 'linux', architecture: 'arm64' };
      const made = await mutateImage(transaction, image?.root ?? expect.fail(), { cmd: ['x'] }, { platform });
      expect((await readImage(transaction, made)).config.value.architecture).toBe('arm64');
    });
  });
});

test('an image is copied with what refers to it, and only what is missing', async () => {
  const [from, to] = [await storeWith(BASE), new MemoryStore()];
  await from.update((transaction) => attach(transaction, BASE.root, 'text/plain', [{ bytes: LAYER }]));
  const by: string[] = [];
  const onBlob = (_: Descriptor, how: string): void => void by.push(how);
  const copyOnce = async (): Promise<void> =>
    to.update(async (transaction) => {
      const { referrers } = await copyImage(from, BASE.root, transaction, { onBlob });
      transaction.add(BASE.root, ['copied:1'], {});
      for (const referrer of referrers) transaction.add(referrer, [], {});
    });
  await copyOnce();
  expect(by).toEqual(['written', 'written', 'written', 'written']);
  expect(await to.referrers(BASE.root)).toHaveLength(1);
  await copyOnce();
  expect(by.slice(4)).toEqual(['reused', 'reused', 'reused', 'reused']);
});

describe('an artifact that is attached', () => {
  test('is found by what it refers to, with its blobs', async () => {
    const store = await storeWith(BASE);
    const sbom = Buffer.from('{"spdxVersion":"SPDX-2.3"}');
    const title = { 'org.opencontainers.image.title': 'sbom.json' };
    const blobs = [
      { bytes: sbom, mediaType: 'application/spdx+json', annotations: title },
      { bytes: chunksOf(LAYER) },
    ];
    const root = await store.update((transaction) =>
      attach(transaction, BASE.root, 'application/spdx+json', blobs, { annotations: { tool: 'a test' } }),
    );
    const [found, ...others] = await store.referrers(BASE.root);
    expect([found, others]).toMatchObject([
      { digest: root.digest, artifactType: 'application/spdx+json', annotations: { tool: 'a test' } },
      [],
    ]);
    const manifest = JSON.parse((await buffer(await store.open(root))).toString());
    expect(manifest.layers).toEqual([
      { ...describeBytes(sbom, 'application/spdx+json'), annotations: title },
      describeBytes(LAYER),
    ]);
    for (const layer of manifest.layers) expect(await store.has(layer)).toBe(true);
    expect(await store.images()).toHaveLength(1);
  });
});

import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { readArchive } from '../../../src/archive/read/read.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from '../../../src/oci/media-types.ts';
import { openLayer } from '../../../src/image/layer.ts';
import { blob, describe as descriptor, imageConfig, json, layerTar } from '../../support/archives/images.ts';
import { MemoryContent } from '../../support/archives/memory-content.ts';
import { inChunks, readBytes } from '../../support/archives/read-bytes.ts';
import { entry, hardlink, header, pax, symlink, tar } from '../../support/archives/tar-bytes.ts';

const APP = layerTar('app');
const CONFIG = imageConfig([APP]);
const MANIFEST = json({
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: descriptor(CONFIG, OCI_CONFIG),
  layers: [descriptor(APP, OCI_LAYER)],
});
const LAYOUT = entry('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
const BLOBS = [LAYOUT, blob(APP), blob(CONFIG), blob(MANIFEST)];
const indexOf = (...manifests: unknown[]): Buffer =>
  json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
const listed = (...manifests: unknown[]): Buffer =>
  entry('index.json', json({ schemaVersion: 2, manifests }));

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `temp:${i}`);
const named = (annotations: Record<string, string>): Buffer =>
  tar(...BLOBS, listed(descriptor(MANIFEST, OCI_MANIFEST, { annotations })));

const manyImages = (count: number): Buffer =>
  tar(
    entry(
      'manifest.json',
      json(names(count).map((name) => ({ Config: 'c', RepoTags: [name], Layers: ['l'] }))),
    ),
    entry('c', imageConfig([APP], { comment: 'x'.repeat(1_000_000) })),
    entry('l', APP),
  );

describe('a graph', () => {
  test('whose indexes name one child again and again is walked once', async () => {
    const indexes: Buffer[] = [];
    let [top, type] = [MANIFEST, OCI_MANIFEST];
    for (let i = 0; i < 3; i++) {
      const child = descriptor(top, type);
      top = indexOf(...Array.from({ length: 20 }, () => child));
      type = OCI_INDEX;
      indexes.push(top);
    }
    const { images } = await readBytes(tar(...BLOBS, listed(descriptor(top, type)), ...indexes.map(blob)));
    expect(images).toMatchObject([{ id: digestOf(CONFIG) }]);
  }, 10_000);

  test('with many ways through it is walked once for each root', async () => {
    let layer = [{ bytes: MANIFEST, type: OCI_MANIFEST }];
    const indexes: Buffer[] = [];
    for (let level = 0; level < 4; level++) {
      layer = Array.from({ length: 12 }, (_, i) => ({
        bytes: json({
          schemaVersion: 2,
          mediaType: OCI_INDEX,
          annotations: { at: `${level} ${i}` },
          manifests: layer.map(({ bytes, type }) => descriptor(bytes, type)),
        }),
        type: OCI_INDEX,
      }));
      indexes.push(...layer.map(({ bytes }) => bytes));
    }
    const archive = tar(
      ...BLOBS,
      listed(...layer.map(({ bytes, type }) => descriptor(bytes, type))),
      ...indexes.map(blob),
    );
    const { images } = await readBytes(archive);
    expect(images.map(({ id }) => id)).toEqual(layer.map(() => digestOf(CONFIG)));
  }, 10_000);

  test('nested too deeply is refused in whatever order it is listed', async () => {
    const chain = [descriptor(MANIFEST, OCI_MANIFEST)];
    const indexes: Buffer[] = [];
    for (let i = 0; i < 8; i++) {
      const next = indexOf(chain.at(-1));
      indexes.push(next);
      chain.push(descriptor(next, OCI_INDEX));
    }
    const archive = tar(...BLOBS, listed(...chain), ...indexes.map(blob));
    await expect(readBytes(archive)).rejects.toMatchObject({ code: 'LIMIT' });
  });
});

test.each([
  ['symlink', symlink],
  ['hard link', hardlink],
])('a %s to a very long name is refused', async (_kind, link) => {
  const archive = tar(pax({ linkpath: 'a/'.repeat(3000) }), link('x', 'y'));
  await expect(readBytes(archive)).rejects.toMatchObject({ code: 'MALFORMED' });
});

test('names that are long in all are refused', async () => {
  const long = 'd/'.repeat(2000);
  const parts = Array.from({ length: 9000 }, (_, i) =>
    Buffer.concat([pax({ path: `${long}${i}` }), header({ type: '5' })]),
  );
  await expect(readBytes(tar(...parts))).rejects.toMatchObject({ code: 'LIMIT' });
});

test('content in a foreign compression is released', async () => {
  const xz = Buffer.concat([Buffer.from('fd377a585a0000000000', 'hex'), Buffer.alloc(100_000)]);
  const source = Readable.from(inChunks(xz, 1000));
  const content = new MemoryContent();
  content.open = () => Promise.resolve(source);
  const reading = openLayer(content, { mediaType: OCI_LAYER, digest: digestOf(xz), size: xz.length }).next();
  await expect(reading).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  expect(source.destroyed).toBe(true);
});

test('a manifest.json may list many images, but not any number', async () => {
  expect((await readBytes(manyImages(3000))).images[0]?.names).toHaveLength(3000);
  await expect(readBytes(manyImages(10_001))).rejects.toMatchObject({ code: 'LIMIT' });
}, 10_000);

test('the first error comes out, whatever fails after it', async () => {
  const controller = new AbortController();
  const archive = tar(entry('l', APP), entry('../out'));
  const reading = readArchive(inChunks(archive, 512), {
    content: new MemoryContent(),
    ingest: async (bytes) => {
      for await (const chunk of bytes) void chunk;
      await new Promise((resolve) => setTimeout(resolve, 50));
      throw new Error('later');
    },
    signal: controller.signal,
  });
  await expect(reading).rejects.toMatchObject({ code: 'MALFORMED' });
});

describe('an entry of index.json', () => {
  test('that has a digest for a name has none', async () => {
    const name = `docker.io/library/temp@${digestOf(MANIFEST)}`;
    expect((await readBytes(named({ 'io.containerd.image.name': name }))).images).toMatchObject([
      { names: [] },
    ]);
  });

  test('with two names has the tag that was set last', async () => {
    const archive = named({
      'io.containerd.image.name': 'docker.io/library/temp:1',
      'org.opencontainers.image.ref.name': 'temp:2',
    });
    expect((await readBytes(archive)).images).toMatchObject([{ names: ['temp:2'] }]);
  });
});

test('a non-distributable layer may be absent', async () => {
  const foreign = descriptor(APP, 'application/vnd.docker.image.rootfs.foreign.diff.tar', {
    urls: ['https://example.com/layer'],
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(CONFIG, OCI_CONFIG),
    layers: [foreign],
  });
  const archive = tar(LAYOUT, blob(CONFIG), blob(manifest), listed(descriptor(manifest, OCI_MANIFEST)));
  const { images, content } = await readBytes(archive);
  expect(images).toMatchObject([{ root: { digest: digestOf(manifest) }, layers: [] }]);
  expect([...content.blobs.keys()]).not.toContain(foreign.digest);
});

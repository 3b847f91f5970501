import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readImage } from '../../../src/image/image.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { OCI_CONFIG } from '../../../src/oci/media-types.ts';
import { imageConfig, json, layerTar } from '../../support/archives/images.ts';
import { CONFIG, HYBRID, LAYERS, PRODUCED } from '../../support/archives/producers.ts';
import { readBytes } from '../../support/archives/read-bytes.ts';
import { entry, tar } from '../../support/archives/tar-bytes.ts';

describe('archives of producers that cannot run here', () => {
  test.each([...PRODUCED, HYBRID])('$producer', async ({ archive, names }) => {
    const { images, content } = await readBytes(archive);
    expect(images).toHaveLength(1);
    const [image = expect.fail()] = images;
    expect(image).toMatchObject({
      names,
      id: digestOf(CONFIG),
      layers: LAYERS.map((layer) => ({ diffId: digestOf(layer) })),
    });
    const { config } = await readImage(content, image.root);
    expect(config.descriptor).toEqual({
      mediaType: OCI_CONFIG,
      digest: digestOf(CONFIG),
      size: CONFIG.length,
    });
    expect(content.blobs.get(digestOf(CONFIG))).toEqual(CONFIG);
  });

  test.each(PRODUCED)('$producer, compressed as a whole', async ({ archive }) => {
    expect((await readBytes(gzipSync(archive))).images).toEqual((await readBytes(archive)).images);
  });

  test('all lead to the same manifest, since their layers are the same bytes or gzip of them', async () => {
    const roots = await Promise.all(
      PRODUCED.map(async ({ archive }) => (await readBytes(archive)).images[0]?.root.digest),
    );
    expect(new Set(roots).size).toBe(1);
  });
});

const archive = (images: unknown, ...entries: Buffer[]): Buffer =>
  tar(...entries, entry('manifest.json', json(images)));

describe('images', () => {
  const config = imageConfig([]);

  test.each([
    ['Layers: null', { Config: 'c', RepoTags: null, Layers: null }],
    ['no layers', { Config: 'c', RepoTags: [], Layers: [] }],
    ['no keys but the config', { Config: 'c' }],
  ])('with %s have none', async (_title, image) => {
    const { images } = await readBytes(archive([image], entry('c', config)));
    expect(images).toMatchObject([{ names: [], layers: [], id: digestOf(config) }]);
  });

  test('may have layers of zero bytes', async () => {
    const empty = imageConfig([Buffer.alloc(0)]);
    const { images } = await readBytes(
      archive([{ Config: 'c', Layers: ['l'] }], entry('c', empty), entry('l')),
    );
    expect(images[0]?.layers).toMatchObject([{ diffId: digestOf(Buffer.alloc(0)), uncompressedSize: 0 }]);
  });

  test('may use one layer several times', async () => {
    const layer = layerTar('same');
    const twice = imageConfig([layer, layer]);
    const { images } = await readBytes(
      archive([{ Config: 'c', Layers: ['l', 'l'] }], entry('c', twice), entry('l', layer)),
    );
    expect(images[0]?.layers.map(({ diffId }) => diffId)).toEqual([digestOf(layer), digestOf(layer)]);
  });

  test('that are listed twice are one, with the names of both', async () => {
    const listed = [
      { Config: 'c', RepoTags: ['a'] },
      { Config: 'c', RepoTags: ['b:1', 'docker.io/library/a:latest'] },
    ];
    const { images } = await readBytes(archive(listed, entry('c', config)));
    expect(images.map(({ names }) => names)).toEqual([['a:latest', 'b:1']]);
  });

  test('of two kinds under one name are refused', async () => {
    const other = imageConfig([], { author: 'someone else' });
    const listed = [
      { Config: 'c', RepoTags: ['a'] },
      { Config: 'd', RepoTags: ['a'] },
    ];
    const reading = readBytes(archive(listed, entry('c', config), entry('d', other)));
    await expect(reading).rejects.toMatchObject({ code: 'AMBIGUOUS' });
  });
});

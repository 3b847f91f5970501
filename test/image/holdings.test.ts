import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { Holdings } from '../../src/image/holdings.ts';
import { Ledger } from '../../src/image/ledger.ts';
import { noteProven } from '../../src/image/proven.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestHex, digestOf } from '../../src/oci/digest.ts';
import type { Document } from '../../src/oci/manifest.ts';
import { buildManifest, toDocument } from '../../src/oci/manifest.ts';
import { OCI_LAYER, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { tempFolder } from '../layout/folders.ts';
import { MemoryContent } from '../support/memory-content.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, imageOf, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';

let count = 0;

/** An image of layers that no other test has: what is proven stays proven for the whole process. */
function freshImage(size = 10): SampleImage {
  return imageOf(
    ['base', 'app'].map((name) => {
      const content = Buffer.from(`${name} ${count++} `.padEnd(size, name));
      return [digestOf(content), gzipSync(content)];
    }),
  );
}

async function layoutOf(...images: SampleImage[]): Promise<Layout> {
  const layout = await Layout.create(join(tempFolder(), 'layout'));
  await layout.update(async (transaction) => {
    for (const image of images) await addSample(transaction, image);
  });
  return layout;
}

async function holdingsOf(layout: Layout, signal?: AbortSignal): Promise<Holdings> {
  const roots = (await layout.images()).map(({ root }) => root);
  return new Holdings(layout, roots, new Ledger(), { signal });
}

/** Changes a file as an attacker or a bad disk would, later than the file system's clock can blur. */
async function overwrite(layout: Layout, { digest }: Descriptor, bytes: Uint8Array): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  writeFileSync(join(layout.path, 'blobs/sha256', digestHex(digest)), bytes);
}

function firstOf(image: SampleImage): { diffId: Descriptor['digest']; blob: Descriptor } {
  const [[diffId], [blob]] = [image.diffIds, image.layers];
  return diffId === undefined || blob === undefined ? expect.fail('no layer') : { diffId, blob };
}

const proven = (image: SampleImage): void =>
  image.layers.forEach((blob, i) =>
    noteProven({ blob, diffId: image.diffIds[i] ?? blob.digest }, 10, 'gzip'),
  );

const DOCKER_GZIP = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
const NONDISTRIBUTABLE = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';

/** A manifest of an image that states more, or other things, of each layer and of itself. */
function stating({ config, layers }: SampleImage, ofLayer: object, further: object = {}): Document {
  const stated = layers.map((layer) => ({ ...layer, ...ofLayer }));
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: stated, ...further };
  return toDocument(OCI_MANIFEST, JSON.stringify(manifest));
}

const damages: [string, (image: SampleImage) => void, (bytes: Uint8Array) => Uint8Array][] = [
  ['is damaged', () => {}, (bytes) => Buffer.alloc(bytes.length)],
  ['is cut', () => {}, (bytes) => bytes.subarray(0, 3)],
  ['was proven before it was damaged', proven, (bytes) => Buffer.alloc(bytes.length)],
  ['was proven before it was cut', proven, (bytes) => bytes.subarray(0, 3)],
];

describe('a layer', () => {
  test('of a layout is found by its diffID, and by nothing else', async () => {
    const image = freshImage();
    const { diffId, blob } = firstOf(image);
    const empty = new Holdings(await layoutOf(), [], new Ledger());
    expect(await empty.findLayer(diffId)).toBeUndefined();
    const holdings = await holdingsOf(await layoutOf(image));
    expect(await holdings.findLayer(diffId)).toEqual(blob);
    expect(await holdings.findLayer(blob.digest)).toBeUndefined();
  });

  test.each(damages)('is not held where its blob %s', async (_, prepare, damage) => {
    const image = freshImage();
    const { diffId, blob } = firstOf(image);
    const layout = await layoutOf(image);
    prepare(image);
    await overwrite(layout, blob, damage(Buffer.alloc(blob.size)));
    expect(await (await holdingsOf(layout)).findLayer(diffId)).toBeUndefined();
  });

  test('is not held where it is omitted', async () => {
    const image = freshImage();
    const { diffId, blob } = firstOf(image);
    const layout = await layoutOf();
    await layout.update((transaction) =>
      addSample(transaction, image, ['app'], { 'dev.drayage.omitted-layers': '1' }, [blob]),
    );
    expect(await (await holdingsOf(layout)).findLayer(diffId)).toBeUndefined();
  });

  test('is not held as a blob that is only said to hold it, and each such blob is read once', async () => {
    const image = freshImage();
    const { diffId, blob } = firstOf(image);
    const liars = [
      gzipSync('another layer'),
      Buffer.from([0x1f, 0x8b, 9, 9]),
      gzipSync('cut').subarray(0, -4),
    ].map((content) => imageOf([[diffId, content]]));
    const layout = await layoutOf(...liars);
    const open = vi.spyOn(layout, 'open');
    const holdings = await holdingsOf(layout);
    expect(await holdings.findLayer(diffId)).toBeUndefined();
    const opened = open.mock.calls.length;
    expect(await holdings.findLayer(diffId)).toBeUndefined();
    expect(open).toHaveBeenCalledTimes(opened);
    expect(await (await holdingsOf(await layoutOf(...liars, image))).findLayer(diffId)).toEqual(blob);
  });

  test('is decompressed once, whoever asks', async () => {
    const image = freshImage();
    const { diffId, blob } = firstOf(image);
    const layout = await layoutOf(image);
    const open = vi.spyOn(layout, 'open');
    const opened = (): number => open.mock.calls.filter(([{ digest }]) => digest === blob.digest).length;
    await (await holdingsOf(layout)).findLayer(diffId);
    const again = await holdingsOf(layout);
    await again.findLayer(diffId);
    await again.findImage(image.config.digest);
    await again.findBlobs([blob]);
    expect(opened()).toBe(1);
  });

  test('is found past an image that cannot be read, which is read once', async () => {
    const image = freshImage();
    const { diffId, blob } = firstOf(image);
    const junk = Buffer.from('{');
    const layout = await layoutOf(image);
    const root = describeBytes(junk, OCI_MANIFEST);
    const [stored] = await layout.images();
    writeFileSync(join(layout.path, 'blobs/sha256', digestHex(root.digest)), junk);
    const open = vi.spyOn(layout, 'open');
    const holdings = new Holdings(layout, [root, stored?.root ?? root], new Ledger());
    for (let i = 0; i < 3; i++) expect(await holdings.findLayer(diffId)).toEqual(blob);
    expect(open.mock.calls.filter(([{ digest }]) => digest === root.digest)).toHaveLength(1);
  });

  test('is not looked for once the signal comes', async () => {
    const image = freshImage();
    const layout = await layoutOf(image);
    const { diffId } = firstOf(image);
    const stop = new AbortController();
    const holdings = await holdingsOf(layout, stop.signal);
    stop.abort(new Error('enough'));
    await expect(holdings.findLayer(diffId)).rejects.toThrow('enough');
  });
});

describe('an image', () => {
  test.each([
    ['its config', (image: SampleImage) => image.config.digest],
    ['its manifest', (image: SampleImage) => image.root.digest],
  ])('is found by the digest of %s, with its layers', async (_, idOf) => {
    const image = freshImage();
    const holdings = await holdingsOf(await layoutOf(image));
    const found = await holdings.findImage(idOf(image));
    expect(found).toMatchObject({ root: { digest: image.root.digest }, id: image.config.digest });
    expect(found?.layers.map(({ diffId }) => diffId)).toEqual(image.diffIds);
    expect(await holdings.findImage(digestOf(Buffer.from('no image')))).toBeUndefined();
  });

  test('is found in an index, and as the index', async () => {
    const [one, two] = [freshImage(), freshImage()];
    const index = sampleIndex([one, two]);
    const holdings = await holdingsOf(await layoutOf(index));
    expect(await holdings.findImage(two.config.digest)).toMatchObject({ root: { digest: two.root.digest } });
    expect(await holdings.findImage(index.root.digest)).toMatchObject({
      root: { digest: index.root.digest },
      id: one.config.digest,
    });
  });

  const foreign: [string, (image: SampleImage) => Document][] = [
    ['has annotations', ({ config, layers }) => buildManifest(config, layers, { annotations: { a: 'b' } })],
    ['has a subject', ({ config, layers, root }) => buildManifest(config, layers, { subject: root })],
    ['has an artifact type', ({ config, layers }) => buildManifest(config, layers, { artifactType: 'a/b' })],
    ['has a property of its own', (image) => stating(image, {}, { note: 'a' })],
    ['annotates layers', (image) => stating(image, { annotations: { a: 'b' } })],
    ['names addresses of layers', (image) => stating(image, { urls: ['https://x.example'] })],
    ['calls layers uncompressed', (image) => stating(image, { mediaType: OCI_LAYER })],
    ['calls layers those of docker', (image) => stating(image, { mediaType: DOCKER_GZIP })],
    ['calls layers non-distributable', (image) => stating(image, { mediaType: NONDISTRIBUTABLE })],
  ];

  test.each(foreign)('is not found by its config whose manifest %s, but its layers are', async (_, make) => {
    const image = freshImage();
    const manifest = make(image);
    const source = new MemoryContent([...image.blobs.map(([, bytes]) => bytes), manifest.bytes]);
    const holdings = new Holdings(source, [manifest.descriptor], new Ledger());
    expect(await holdings.findImage(image.config.digest)).toBeUndefined();
    // Whoever names the manifest means it.
    expect(await holdings.findImage(manifest.descriptor.digest)).toMatchObject({ id: image.config.digest });
    for (const [i, diffId] of image.diffIds.entries()) {
      expect(await holdings.findLayer(diffId)).toEqual(image.layers[i]);
      const blob = image.layers[i] ?? expect.fail();
      expect((await holdings.findBlobs([blob])).get(blob.digest)).toEqual({ blob, diffId });
    }
  });

  test('is not found by its config whose manifest misstates the size of a proven layer', async () => {
    const image = freshImage();
    proven(image);
    const manifest = stating(image, { size: 7 });
    const source = new MemoryContent([...image.blobs.map(([, bytes]) => bytes), manifest.bytes]);
    const holdings = new Holdings(source, [manifest.descriptor], new Ledger());
    expect(await holdings.findImage(image.config.digest)).toBeUndefined();
    const { diffId, blob } = firstOf(image);
    expect(await holdings.findLayer(diffId)).toEqual(blob);
  });

  test('is found without what its entry states of its root', async () => {
    const image = freshImage();
    const entry = {
      ...image.root,
      artifactType: 'a/b',
      urls: ['https://x.example'],
      annotations: { a: 'b' },
    };
    const source = new MemoryContent(image.blobs.map(([, bytes]) => bytes));
    const holdings = new Holdings(source, [entry], new Ledger());
    expect((await holdings.findImage(image.root.digest))?.root).toEqual(image.root);
  });

  test('is not held whose manifest claims a layer that its intact blob is not', async () => {
    const { diffId } = firstOf(freshImage());
    const liar = imageOf([[diffId, gzipSync('foreign bytes')]]);
    const holdings = await holdingsOf(await layoutOf(liar));
    expect(await holdings.findImage(liar.config.digest)).toBeUndefined();
    expect(await holdings.findImage(liar.root.digest)).toBeUndefined();
  });

  test.each(damages)('is not held where a blob of it %s', async (_, prepare, damage) => {
    const image = freshImage();
    const { blob } = firstOf(image);
    const layout = await layoutOf(image);
    prepare(image);
    await overwrite(layout, blob, damage(Buffer.alloc(blob.size)));
    expect(await (await holdingsOf(layout)).findImage(image.config.digest)).toBeUndefined();
  });

  test('is not held where what its index holds beside it is damaged', async () => {
    const image = freshImage();
    const note = sampleReferrer(image.root, `attestation ${count++}`);
    const index = sampleIndex([image], [note.root]);
    const layout = await layoutOf({ ...index, blobs: [...index.blobs, ...note.blobs] });
    expect(await (await holdingsOf(layout)).findImage(index.root.digest)).toBeDefined();
    const [content] = note.layers;
    await overwrite(layout, content ?? note.config, Buffer.from('x'));
    expect(await (await holdingsOf(layout)).findImage(index.root.digest)).toBeUndefined();
  });
});

describe('blobs', () => {
  /** Small ones are hashed at once, large ones on threads. */
  const SIZES = [10, 3_000_000, 5_000_000];

  test('are found by their digests, and uncompressed layers by their diffIDs', async () => {
    const images = SIZES.map(freshImage);
    const holdings = await holdingsOf(await layoutOf(...images));
    for (const image of images) {
      const { diffId, blob } = firstOf(image);
      const plain = { ...blob, digest: diffId, size: 1 };
      const absent = describeBytes(Buffer.from('absent'));
      const found = await holdings.findBlobs([blob, plain, image.config, absent]);
      expect([...found.keys()]).toEqual([blob.digest, diffId, image.config.digest]);
      expect(found.get(blob.digest)).toMatchObject({ blob: { digest: blob.digest }, diffId });
      expect(found.get(diffId)).toMatchObject({ blob: { digest: blob.digest }, diffId });
      expect(found.get(image.config.digest)?.diffId).toBeUndefined();
    }
  });

  test.each(SIZES)('of layers of %i bytes are not held where they are damaged', async (size) => {
    const [image, other] = [freshImage(size), freshImage(size)];
    const { diffId, blob } = firstOf(image);
    const layout = await layoutOf(image, other);
    const bytes = readFileSync(join(layout.path, 'blobs/sha256', digestHex(blob.digest)));
    bytes[blob.size - 9] = (bytes[blob.size - 9] ?? 0) ^ 1;
    await overwrite(layout, blob, bytes);
    const found = await (
      await holdingsOf(layout)
    ).findBlobs([blob, { ...blob, digest: diffId }, ...other.layers]);
    expect([...found.keys()]).toEqual(other.layers.map(({ digest }) => digest));
  });

  test('that are only said to hold a layer are held as nothing but bytes', async () => {
    const { diffId } = firstOf(freshImage());
    const liar = imageOf([[diffId, gzipSync(`foreign bytes ${count++}`)]]);
    const { blob } = firstOf(liar);
    const found = await (
      await holdingsOf(await layoutOf(liar))
    ).findBlobs([blob, { ...blob, digest: diffId }]);
    expect([...found]).toEqual([[blob.digest, { blob, diffId: undefined }]]);
  });
});

import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { writeDockerArchive } from '../../../src/archive/write/docker.ts';
import { writeOciArchive } from '../../../src/archive/write/oci.ts';
import type { OpenOptions } from '../../../src/content/source.ts';
import { DrayageError } from '../../../src/errors.ts';
import { verified } from '../../../src/stream/verified.ts';
import type { Image } from '../../../src/image/image.ts';
import { readImage } from '../../../src/image/image.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestHex, digestOf } from '../../../src/oci/digest.ts';
import { buildManifest } from '../../../src/oci/manifest.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER } from '../../../src/oci/media-types.ts';
import { imageConfig, json, layerTar } from '../../support/archives/images.ts';
import { MemoryContent } from '../../support/archives/memory-content.ts';
import { gather } from '../../support/archives/plain-ingest.ts';
import { readBytes } from '../../support/archives/read-bytes.ts';

const BASE = layerTar('base');
const APP = layerTar('app');

interface Stored {
  content: MemoryContent;
  root: Descriptor;
  image: Image;
}

async function store(layers: Buffer[], content = new MemoryContent(), compressed = true): Promise<Stored> {
  const blobs = layers.map((layer) =>
    compressed ? content.add(gzipSync(layer), `${OCI_LAYER}+gzip`) : content.add(layer, OCI_LAYER),
  );
  const manifest = buildManifest(content.add(imageConfig(layers), OCI_CONFIG), blobs);
  content.add(Buffer.from(manifest.bytes), manifest.descriptor.mediaType);
  return { content, root: manifest.descriptor, image: await readImage(content, manifest.descriptor) };
}

/** The names of the entries that come out until the end or an error. */
async function entriesOf(archive: Readable): Promise<{ names: string[]; error?: unknown }> {
  const names: string[] = [];
  const tar = extract();
  tar.on('entry', ({ name }, stream, next) => {
    names.push(name);
    stream.on('end', next).resume();
  });
  try {
    for await (const chunk of archive) tar.write(chunk);
    return { names };
  } catch (error) {
    return { names, error };
  }
}

/** An image with its upper layer's blob changed, or dropped. */
async function damaged(change: (bytes: Buffer) => Buffer | undefined): Promise<Stored> {
  const stored = await store([BASE, APP]);
  const digest = stored.image.layers[1]?.blob.digest ?? '';
  const bytes = change(Buffer.from(stored.content.blobs.get(digest) ?? ''));
  if (bytes === undefined) stored.content.blobs.delete(digest);
  else stored.content.blobs.set(digest, bytes);
  return stored;
}

/** Content that exchanges a blob once it was hashed, and says so to nobody who trusts it. */
class Exchanging extends MemoryContent {
  override async open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable> {
    const isAgain = (this.opened.get(descriptor.digest) ?? 0) > 1;
    if (!isAgain) return super.open(descriptor);
    const bytes = Buffer.from(this.blobs.get(descriptor.digest) ?? '');
    bytes[bytes.length - 20] = (bytes.at(-20) ?? 0) ^ 1;
    if (options?.trustUnchanged === true) return Readable.from([bytes], { objectMode: false });
    return Readable.from(verified(Readable.from([bytes], { objectMode: false }), descriptor));
  }
}

describe.each([
  ['a docker archive', true],
  ['a docker archive of plain layers', false],
  ['an OCI archive', true],
  ['an OCI archive of plain layers', false],
])('%s', (format, compressed) => {
  test('that nobody checks ends with an error where a blob is exchanged after it was hashed', async () => {
    const { content, image, root } = await store([BASE, APP], new Exchanging(), compressed);
    for (const { blob } of image.layers) content.opened.set(blob.digest, 1);
    const archive = format.includes('docker')
      ? writeDockerArchive([{ image, names: ['temp:1'] }], content)
      : writeOciArchive(root, ['temp:1'], content);
    const { error } = await entriesOf(archive);
    expect(error).toBeInstanceOf(DrayageError);
  });
});

describe('a docker archive', () => {
  test('holds manifest.json, configs, and uncompressed layers by their diffIDs, shared ones once', async () => {
    const one = await store([BASE, APP]);
    const two = await store([BASE, layerTar('tools')], one.content);
    const images = [
      { image: one.image, names: ['a:1', 'b:1'] },
      { image: two.image, names: [] },
    ];
    const bytes = await gather(writeDockerArchive(images, one.content));
    const { images: read } = await readBytes(bytes);
    expect(read.map(({ names, id, layers }) => [names, id, layers.map(({ diffId }) => diffId)])).toEqual([
      [['a:1', 'b:1'], one.image.config.descriptor.digest, one.image.layers.map(({ diffId }) => diffId)],
      [[], two.image.config.descriptor.digest, two.image.layers.map(({ diffId }) => diffId)],
    ]);
    const { names } = await entriesOf(writeDockerArchive(images, one.content));
    expect(names).toHaveLength(1 + 2 + 3);
    expect(names[0]).toBe('manifest.json');
    expect(names).toContain(`${digestHex(digestOf(BASE))}.tar`);
  });

  test('is the same bytes for the same image, however its layers are compressed', async () => {
    const packed = await store([BASE, APP]);
    const plain = await store([BASE, APP], new MemoryContent(), false);
    const archives = await Promise.all(
      [packed, plain].map(async ({ image, content }) =>
        gather(writeDockerArchive([{ image, names: ['a:1'] }], content)),
      ),
    );
    expect(archives[0]).toEqual(archives[1]);
  });

  test('leaves out what it is told to', async () => {
    const { image, content } = await store([BASE, APP]);
    const archive = writeDockerArchive([{ image, names: [] }], content, { omit: new Set([digestOf(BASE)]) });
    expect((await entriesOf(archive)).names.filter((name) => name.endsWith('.tar'))).toEqual([
      `${digestHex(digestOf(APP))}.tar`,
    ]);
  });

  test('may have images without layers, and empty layers', async () => {
    const none = await store([]);
    const empty = await store([Buffer.alloc(0)], none.content);
    const images = [none, empty].map(({ image }) => ({ image, names: [] }));
    const { images: read } = await readBytes(await gather(writeDockerArchive(images, none.content)));
    expect(read.map(({ layers }) => layers.length)).toEqual([0, 1]);
  });

  test('carries layers over many chunks', async () => {
    const large = layerTar('x'.repeat(30_000));
    const { image, content } = await store([large, BASE]);
    const { images } = await readBytes(await gather(writeDockerArchive([{ image, names: [] }], content)));
    expect(images[0]?.layers[0]?.diffId).toBe(digestOf(large));
  });
});

describe('an OCI archive', () => {
  test('holds the documents and blobs as they are, under full names', async () => {
    const { root, content } = await store([BASE, APP]);
    const bytes = await gather(writeOciArchive(root, ['temp:1', 'ghcr.io/a/b:2'], content));
    const { images } = await readBytes(bytes);
    expect(images).toMatchObject([{ names: ['temp:1', 'ghcr.io/a/b:2'], root }]);
    expect(bytes.includes('"io.containerd.image.name":"docker.io/library/temp:1"')).toBe(true);
    expect(bytes.includes('"org.opencontainers.image.ref.name":"temp:1"')).toBe(true);
  });

  test('without names has one entry without annotations', async () => {
    const { root, content } = await store([APP]);
    const { images } = await readBytes(await gather(writeOciArchive(root, [], content)));
    expect(images).toMatchObject([{ names: [], root }]);
  });

  test('of an index leaves out what is absent', async () => {
    const { root, content } = await store([APP]);
    const absent = { ...root, digest: digestOf(Buffer.from('arm64')) };
    const index = content.add(
      json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [root, absent] }),
      OCI_INDEX,
    );
    const { images } = await readBytes(await gather(writeOciArchive(index, ['temp:1'], content)));
    expect(images).toMatchObject([{ names: ['temp:1'], root }]);
  });

  test('leaves out what it is told to', async () => {
    const { root, content } = await store([BASE, APP]);
    const base = digestOf(gzipSync(BASE));
    const { names } = await entriesOf(writeOciArchive(root, [], content, { omit: new Set([base]) }));
    expect(names).toContain(`blobs/sha256/${digestHex(digestOf(gzipSync(APP)))}`);
    expect(names).not.toContain(`blobs/sha256/${digestHex(base)}`);
  });

  test('refuses a name that is no reference at once', async () => {
    const { root, content } = await store([APP]);
    expect(() => writeOciArchive(root, ['A B'], content)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe.each([
  [
    'docker',
    ({ image, content }: Stored, signal?: AbortSignal) =>
      writeDockerArchive([{ image, names: [] }], content, { signal }),
  ],
  [
    'OCI',
    ({ root, content }: Stored, signal?: AbortSignal) => writeOciArchive(root, [], content, { signal }),
  ],
])('what goes wrong while a %s archive is written', (_form, write) => {
  test.each<[string, (bytes: Buffer) => Buffer | undefined, string[]]>([
    [
      'a blob with a flipped bit',
      (bytes) => bytes.fill((bytes[40] ?? 0) ^ 1, 40, 41),
      ['DIGEST_MISMATCH', 'MALFORMED'],
    ],
    ['a blob that is cut', (bytes) => bytes.subarray(0, 50), ['SIZE_MISMATCH', 'TRUNCATED']],
    ['a blob with more at its end', (bytes) => Buffer.concat([bytes, bytes]), ['SIZE_MISMATCH']],
    ['another blob', () => gzipSync(BASE), ['DIGEST_MISMATCH', 'SIZE_MISMATCH']],
    ['no blob', () => undefined, ['NOT_FOUND']],
  ])('%s: none of it goes out, and the stream fails', async (_title, change, codes) => {
    const { names, error } = await entriesOf(write(await damaged(change)));
    expect(codes).toContain(error instanceof DrayageError ? error.code : undefined);
    expect(names.filter((name) => /blobs|tar$/.test(name)).length).toBeLessThanOrEqual(3);
    expect(names).not.toContain(`${digestHex(digestOf(APP))}.tar`);
  });

  test('a layer that is not what its diffID says', async () => {
    const stored = await store([BASE, APP]);
    const [, app] = stored.image.layers;
    const other = digestOf(Buffer.from('other'));
    const layers = stored.image.layers.map((layer) => (layer === app ? { ...layer, diffId: other } : layer));
    const swapped = { ...stored.image, layers };
    const { error } = await entriesOf(writeDockerArchive([{ image: swapped, names: [] }], stored.content));
    expect(error).toMatchObject({ code: 'DIGEST_MISMATCH', facts: { actual: app?.diffId } });
  });

  test('an abort destroys the stream with its reason', async () => {
    const controller = new AbortController();
    const archive = write(await store([layerTar('x'.repeat(50_000)), APP]), controller.signal);
    const reading = (async () => {
      for await (const chunk of archive) if (chunk) controller.abort(new Error('enough'));
    })();
    await expect(reading).rejects.toThrow('enough');
    expect(archive.destroyed).toBe(true);
  });

  test('a reader that leaves is no error, and nothing is read on', async () => {
    const stored = await store(
      ['x', 'y', 'z'].map((x) => layerTar(x.repeat(10_000))),
      new MemoryContent(),
      false,
    );
    const archive = write(stored);
    await archive[Symbol.asyncIterator]().next();
    archive.destroy();
    await new Promise((resolve) => setTimeout(resolve, 30));
    const last = stored.image.layers[2]?.blob.digest ?? '';
    expect(stored.content.opened.get(last)).toBe(undefined);
    expect(archive.destroyed).toBe(true);
  });
});

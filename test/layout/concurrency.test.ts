import { execFile } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { walk } from '../../src/image/contents.ts';
import { Layout } from '../../src/layout/layout.ts';
import { tempFolder } from './folders.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';

const WRITERS = 8;
const IMAGES = 4;

/** All images are there under their names, all that they reach is intact, and nothing is left beside the layout. */
async function expectAllThere(path: string): Promise<void> {
  const layout = await Layout.open(path);
  const names = (await layout.images()).flatMap((image) => image.names).toSorted();
  const expected = Array.from(
    { length: WRITERS * IMAGES },
    (_, i) => `app:${Math.floor(i / IMAGES)}-${i % IMAGES}`,
  );
  expect(names).toEqual(expected.toSorted());
  for (const { root } of await layout.images()) {
    for await (const node of walk(layout, root)) {
      if (node.kind === 'blob') await layout.verifyBlob(node.descriptor);
    }
  }
  expect(readdirSync(join(path, '..'))).toEqual(['layout']);
  expect(readdirSync(path).toSorted()).toEqual(['blobs', 'index.json', 'manifest.json', 'oci-layout']);
}

describe('several writers of one new layout', () => {
  test('in one process all have their images in it', { timeout: 60_000 }, async () => {
    const path = join(tempFolder(), 'layout');
    const write = async (writer: number): Promise<void> => {
      const layout = await Layout.create(path);
      for (let i = 0; i < IMAGES; i++) {
        const image = sampleImage(['base', `shared ${i}`, `${writer} ${i}`]);
        await layout.update((transaction) => addSample(transaction, image, [`app:${writer}-${i}`]));
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
    await expectAllThere(path);
  });

  test('in processes of their own all have their images in it', { timeout: 60_000 }, async () => {
    const folder = tempFolder();
    const path = join(folder, 'place/layout');
    const script = join(folder, 'writer.mjs');
    writeFileSync(script, WRITER_SCRIPT);
    const dist = new URL('../../dist/', import.meta.url).href;
    const run = promisify(execFile);
    await Promise.all(
      Array.from({ length: WRITERS }, (_, i) =>
        run(process.execPath, [script, dist, path, `${i}`, `${IMAGES}`]),
      ),
    );
    await expectAllThere(path);
  });
});

/** Writes images as {@link sampleImage} builds them, by the library as it is built. */
const WRITER_SCRIPT = `
const [, , dist, path, writer, images] = process.argv;
const { Layout } = await import(dist + 'exports/layout.js');
const { buildManifest, digestOf } = await import(dist + 'exports/oci.js');
const describe = (bytes, mediaType) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
const layout = await Layout.create(path);
for (let i = 0; i < Number(images); i++) {
  await layout.update(async (transaction) => {
    const put = async (bytes, mediaType) => {
      const descriptor = describe(bytes, mediaType);
      await transaction.put(descriptor, [bytes]);
      return descriptor;
    };
    const layers = [];
    for (const text of ['base', 'shared ' + i, writer + ' ' + i]) {
      const bytes = Buffer.from(text.repeat(20_000));
      layers.push(await put(bytes, 'application/vnd.oci.image.layer.v1.tar'));
    }
    const diff_ids = layers.map(({ digest }) => digest);
    const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids } }));
    const manifest = buildManifest(await put(config, 'application/vnd.oci.image.config.v1+json'), layers);
    await put(manifest.bytes, manifest.descriptor.mediaType);
    transaction.add(manifest.descriptor, ['app:' + writer + '-' + i], {});
  });
}
`;

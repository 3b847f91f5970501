import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Holdings } from '../../src/image/holdings.ts';
import { Ledger } from '../../src/image/ledger.ts';
import { images } from '../../src/image/image.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { unpackFixture } from '../support/fixtures.ts';
import { snapshot, tempFolder } from './folders.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));

interface Expected {
  images: { tags: string[]; configDigest: Digest; diffIds: Digest[] }[];
  manifests: { digest: Digest; name: string | null; ref: string | null }[];
}
const expected: Record<string, Expected> = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8'));
const layouts = Object.entries(expected).filter(([name]) => name.endsWith('.layout.tar'));

const unpack = async (name: string): Promise<string> => unpackFixture(name, join(tempFolder(), 'layout'));

describe.each(layouts)('the layout of %s', (name, { images: wanted, manifests }) => {
  test('has the images, configs and layers that its maker put in', async () => {
    const layout = await Layout.open(await unpack(name));
    const found = [];
    for (const { root } of await layout.images()) {
      for await (const { config, layers } of images(layout, root)) {
        found.push({ configDigest: config.descriptor.digest, diffIds: layers.map(({ diffId }) => diffId) });
        for (const { blob } of layers) await layout.verifyBlob(blob);
      }
    }
    expect(found).toEqual(wanted.map(({ configDigest, diffIds }) => ({ configDigest, diffIds })));
  });

  test('is resolved by every name and digest', async () => {
    const layout = await Layout.open(await unpack(name));
    for (const { digest, name: full, ref } of manifests) {
      expect((await layout.resolve(full ?? ref ?? digest))[0].root.digest).toBe(digest);
      expect((await layout.resolve(digest))[0].root.digest).toBe(digest);
    }
    for (const { configDigest, diffIds } of wanted) {
      const [{ root }] = await layout.resolve(configDigest);
      for await (const { layers } of images(layout, root)) {
        expect(layers.map(({ diffId }) => diffId)).toEqual(diffIds);
      }
    }
  });

  test('takes another image, keeps its own entries, and finds its own layers', async () => {
    const path = await unpack(name);
    const before: { manifests: unknown[] } = JSON.parse(readFileSync(join(path, 'index.json'), 'utf8'));
    const layout = await Layout.create(path);
    await layout.update(async (transaction) => {
      const roots = (await layout.images()).map(({ root }) => root);
      const holdings = new Holdings(layout, roots, new Ledger());
      for (const diffId of wanted.flatMap(({ diffIds }) => diffIds)) {
        expect(await holdings.findLayer(diffId)).toBeDefined();
      }
      await addSample(transaction, sampleImage(['more']), ['more']);
    });
    const after: { manifests: unknown[] } = JSON.parse(readFileSync(join(path, 'index.json'), 'utf8'));
    expect(after.manifests.slice(0, -1)).toEqual(before.manifests);
    const docker: { Config: string }[] = JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8'));
    expect(docker.map(({ Config }) => Config.replace('blobs/sha256/', 'sha256:')).slice(0, -1)).toEqual(
      wanted.map(({ configDigest }) => configDigest),
    );
  });

  test('is left as it is by an update that changes nothing', async () => {
    const path = await unpack(name);
    const before = snapshot(dirname(path));
    await (await Layout.open(path)).update(async () => {});
    expect(snapshot(dirname(path))).toEqual(before);
  });
});

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import { layerCount, type Shape, syntheticArchive } from '../../bench/synthetic.ts';

const SHAPE: Shape = { images: 3, sharedLayers: 2, ownLayers: 1, layerSize: 1024 };

interface Manifest {
  Config: string;
  Layers: string[];
}

/** Entries by name: documents as text, layers by their digest. */
async function readArchive(shape: Shape): Promise<Map<string, string>> {
  const entries = new Map<string, string>();
  const unpacked = extract();
  Readable.from(syntheticArchive(shape), { objectMode: false }).pipe(unpacked);
  for await (const entry of unpacked) {
    const { name } = entry.header;
    if (name.endsWith('.json')) {
      entries.set(name, await text(entry));
      continue;
    }
    const hash = createHash('sha256');
    for await (const chunk of entry) hash.update(chunk as Buffer);
    entries.set(name, `sha256:${hash.digest('hex')}`);
  }
  return entries;
}

test('a made-up archive has the layers that its configs name, shared ones first', async () => {
  const entries = await readArchive(SHAPE);
  const manifest = JSON.parse(entries.get('manifest.json') ?? '') as Manifest[];
  expect(manifest.map(({ Layers }) => Layers)).toEqual(
    [2, 3, 4].map((own) => [0, 1, own].map((layer) => `layer-${layer}/layer.tar`)),
  );
  for (const { Config, Layers } of manifest) {
    const { rootfs } = JSON.parse(entries.get(Config) ?? '') as { rootfs: { diff_ids: string[] } };
    expect(rootfs.diff_ids).toEqual(Layers.map((layer) => entries.get(layer)));
  }
});

test('every layer of a made-up archive is another one', async () => {
  const entries = await readArchive(SHAPE);
  const layers = [...entries].filter(([name]) => name.endsWith('.tar')).map(([, digest]) => digest);
  expect(layers).toHaveLength(layerCount(SHAPE));
  expect(new Set(layers).size).toBe(layerCount(SHAPE));
});

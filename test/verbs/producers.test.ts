import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { diff } from '../../src/verbs/diff.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { merge } from '../../src/verbs/merge.ts';
import { save } from '../../src/verbs/save/save.ts';
import { CONFIG, HYBRID, LAYERS, PRODUCED } from '../support/archives/producers.ts';
import { readBytes } from '../support/archives/read-bytes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test.each([...PRODUCED, HYBRID])(
  'an archive of $producer goes through save, merge, diff and export',
  async ({ archive, names }) => {
    const home = await temporaryFolder();
    // As every command that is given an archive unpacks it.
    const unpacked = await Layout.create(join(home, 'unpacked'));
    await save({ from: { archive: Readable.from([archive]) }, to: unpacked, compress: 'none' });
    const saved = await Layout.create(join(home, 'saved'));
    await save({ from: unpacked, to: saved, compress: 'gzip' });
    const to = await Layout.create(join(home, 'merged'));
    const merged = await merge({ from: [unpacked, saved], to });
    expect(merged.images).toMatchObject([{ name: names[0] ?? null, id: digestOf(CONFIG) }]);
    const { layers, config, images } = await diff({ a: { place: unpacked }, b: { place: to } });
    expect(layers).toMatchObject({
      shared: LAYERS.map((layer) => ({ diffId: digestOf(layer) })),
      onlyA: [],
      onlyB: [],
    });
    expect([config, images]).toEqual([[], { onlyA: [], onlyB: [] }]);
    const exported = await readBytes(await buffer(await exportArchive({ from: [to] })));
    expect(exported.images).toMatchObject([{ id: digestOf(CONFIG), names }]);
  },
);

import { beforeEach, expect, test } from 'vitest';
import { footprint } from '../../src/image/footprint.ts';
import { Layout } from '../../src/layout/layout.ts';
import { save } from '../../src/verbs/save/save.ts';
import { checkSize } from '../../src/image/size-check.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { fixtureArchive } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const APP = sampleImage(['base', 'app']);

let layout: Layout;
let bytes: number;
beforeEach(async () => {
  layout = await Layout.create(`${await temporaryFolder()}/layout`);
  await layout.update((transaction) => addSample(transaction, APP, ['app:1']));
  ({ bytes } = await footprint(layout, [APP.root]));
});

test('what is just as large as the limit passes without a word', async () => {
  const notes: string[] = [];
  const onProgress = (event: { kind: string }): void => void notes.push(event.kind);
  await checkSize(layout, [APP.root], { maxSize: bytes, warnSize: bytes, onProgress });
  expect(notes).toEqual([]);
});

test('a byte more is refused, with the largest layers', async () => {
  await expect(checkSize(layout, [APP.root], { maxSize: bytes - 1 })).rejects.toMatchObject({
    code: 'LIMIT',
    facts: { expected: bytes - 1, actual: bytes },
    hint: expect.stringContaining(APP.layers[0]?.digest ?? 'no layer') as string,
  });
});

test('a byte more than what is worth a warning is told', async () => {
  const notes: string[] = [];
  await checkSize(layout, [APP.root], {
    warnSize: bytes - 1,
    onProgress: (event) => void (event.kind === 'note' && notes.push(event.message)),
  });
  expect(notes).toEqual([expect.stringMatching(/^the layout takes .* the largest layers are /)]);
});

test('a save that would pass the limit leaves the layout as it was', async () => {
  const before = await layout.images();
  const saved = save({ from: fixtureArchive('demo.tar'), to: layout, maxSize: bytes });
  await expect(saved).rejects.toMatchObject({ code: 'LIMIT' });
  expect(await layout.images()).toEqual(before);
});

test('what the layout holds already counts', async () => {
  const alone = await Layout.create(`${await temporaryFolder()}/layout`);
  const archive = fixtureArchive('demo.tar');
  await save({ from: archive, to: alone });
  const roots = (await alone.images()).map(({ root }) => root);
  const maxSize = (await footprint(alone, roots)).bytes;
  const again = (to: Layout) => save({ from: fixtureArchive('demo.tar'), to, maxSize });
  await again(await Layout.create(`${await temporaryFolder()}/layout`));
  await expect(again(layout)).rejects.toMatchObject({ code: 'LIMIT' });
});

test('two sizes that would look the same are exact', async () => {
  const large = sampleImage(['x'.repeat(20_000)]);
  await layout.update((transaction) => addSample(transaction, large, ['large:1']));
  const taken = await footprint(layout, [large.root]);
  await expect(checkSize(layout, [large.root], { maxSize: taken.bytes - 1 })).rejects.toThrow(
    `the layout would take ${taken.bytes} B, more than ${taken.bytes - 1} B`,
  );
  await expect(checkSize(layout, [large.root], { maxSize: 1 })).rejects.toThrow(
    /^the layout would take \d[\d.]* k?B, more than 1 B$/,
  );
});

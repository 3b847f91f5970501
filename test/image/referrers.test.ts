import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exportArchive } from '../../src/verbs/export.ts';
import { fetchImages } from '../../src/verbs/fetch.ts';
import { Layout } from '../../src/layout/layout.ts';
import { contentsOf } from '../../src/image/contents.ts';
import { referrersOf } from '../../src/image/referrers.ts';
import { save } from '../../src/verbs/save/save.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const [AMD, ARM] = [sampleImage(['a']), sampleImage(['b'], 'arm64')];
const INDEX = sampleIndex([AMD, ARM]);
const OF_PART = sampleReferrer(ARM.root, 'of a part');
const OF_THAT = sampleReferrer(OF_PART.root, 'of that');

async function emptyLayout(): Promise<Layout> {
  return Layout.create(join(await temporaryFolder(), 'layout'));
}

/** A multi-platform image, to a part of which something refers, and something to that. */
async function makeLayout(): Promise<Layout> {
  const layout = await emptyLayout();
  await layout.update(async (content) => {
    await addSample(content, INDEX, ['app:1']);
    for (const one of [OF_PART, OF_THAT, sampleReferrer(sampleImage(['c']).root)])
      await addSample(content, one);
  });
  return layout;
}

test('what refers to a part of an image, and to what refers to it, is found, each after its subject', async () => {
  const layout = await makeLayout();
  const found = await referrersOf(layout, layout, await contentsOf(layout, INDEX.root), {});
  expect(found).toMatchObject([
    { subject: ARM.root.digest, descriptor: { digest: OF_PART.root.digest } },
    { subject: OF_PART.root.digest, descriptor: { digest: OF_THAT.root.digest } },
  ]);
});

test.each<[string, (from: Layout, to: Layout) => Promise<unknown>]>([
  ['fetch', async (from, to) => fetchImages({ from: [from], to })],
  ['a save from a layout', async (from, to) => save({ from, to })],
  [
    'a save of its one platform',
    async (from, to) => save({ from, to, platform: { os: 'linux', architecture: 'arm64' } }),
  ],
])('%s takes along what refers to a part of an image', async (_, copy) => {
  const to = await emptyLayout();
  await copy(await makeLayout(), to);
  expect(await to.referrers(ARM.root)).toMatchObject([{ digest: OF_PART.root.digest }]);
  expect(await to.referrers(OF_PART.root)).toMatchObject([{ digest: OF_THAT.root.digest }]);
  expect(await to.entries()).toHaveLength(3);
});

test('so does an OCI archive', async () => {
  const archive = await exportArchive({ from: [await makeLayout()], format: 'oci' });
  const bytes = Buffer.concat((await archive.toArray()) as Buffer[]);
  for (const { root } of [OF_PART, OF_THAT]) {
    // By its name in the tar, and in index.json.
    expect(bytes.includes(`blobs/sha256/${root.digest.slice(7)}`)).toBe(true);
    expect(bytes.includes(`"${root.digest}"`)).toBe(true);
  }
});

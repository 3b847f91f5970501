import { expect, test, vi } from 'vitest';
import type { ImageIndex } from '../../src/content/image-index.ts';
import { overlay } from '../../src/content/overlay.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { select } from '../../src/select/select.ts';
import { contentsOf } from '../../src/image/contents.ts';
import { referrersOf } from '../../src/image/referrers.ts';
import { joinPlaces, referrersAcross } from '../../src/select/places.ts';
import type { SelectedImage } from '../../src/select/selection.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage, sampleReferrer } from '../../src/testing/sample-images.ts';
import { merge } from '../../src/verbs/merge.ts';
import { tempFolderInMemory } from '../layout/folders.ts';

const APP = sampleImage(['app']);
const [FIRST, SECOND] = [sampleReferrer(APP.root, 'first'), sampleReferrer(APP.root, 'second')];
const OTHER = sampleReferrer(sampleImage(['other']).root);

async function layoutOf(...images: SampleImage[]): Promise<Layout> {
  const layout = await Layout.create(tempFolderInMemory());
  await layout.update(async (content) => {
    for (const [i, image] of images.entries()) await addSample(content, image, i === 0 ? ['app:1'] : []);
  });
  return layout;
}

const digests = (found: readonly Descriptor[]): string[] => found.map(({ digest }) => digest);

test('only places that list a subject are asked about it, and the same referrer of two counts once', async () => {
  const places = [await layoutOf(APP, FIRST), await layoutOf(OTHER), await layoutOf(FIRST, SECOND)];
  const asked = places.map((place) => vi.spyOn(place, 'referrers'));
  const across = referrersAcross(places);
  expect(digests(await across.referrers(APP.root))).toEqual([FIRST.root.digest, SECOND.root.digest]);
  expect(asked.map((spy) => spy.mock.calls.length)).toEqual([1, 0, 1]);
  expect(await across.referrers(APP.config)).toEqual([]);
  expect(asked.map((spy) => spy.mock.calls.length)).toEqual([1, 0, 1]);
});

test.each<[string, () => Promise<ImageIndex>]>([
  ['several as one', async () => joinPlaces([await layoutOf(APP, FIRST)])],
  [
    'one whose referrers were replaced',
    async () => overlay(await layoutOf(APP), { referrers: async () => [FIRST.root] }),
  ],
])('a place that does not list its subjects is asked about all: %s', async (_, make) => {
  const across = referrersAcross([await layoutOf(APP, SECOND), await make()]);
  expect(digests(await across.referrers(APP.root))).toEqual([SECOND.root.digest, FIRST.root.digest]);
});

test('a layout lists its subjects as they are now', async () => {
  const layout = await layoutOf(APP);
  expect(await layout.subjects()).toEqual(new Set());
  await layout.update(async (content) => addSample(content, FIRST));
  expect(await layout.subjects()).toEqual(new Set([APP.root.digest]));
  expect(await overlay(layout, {}).subjects?.()).toEqual(new Set([APP.root.digest]));
});

/** What a layout holds, of n. */
const SIGNED: Record<string, (i: number, n: number) => SampleImage[]> = {
  'each with an image and its signature': (i) => {
    const image = sampleImage([`${i}`]);
    return [image, sampleReferrer(image.root)];
  },
  'each with an image, its signature and a signature of that': (i) => {
    const image = sampleImage([`${i}`]);
    const signature = sampleReferrer(image.root);
    return [image, signature, sampleReferrer(signature.root)];
  },
  'all with the same image and signature': () => [APP, FIRST],
  'all with the same image, and a signature of their own': (i) => [APP, sampleReferrer(APP.root, `${i}`)],
  'each with an image, and a signature of the next one': (i, n) => [
    sampleImage([`${i}`]),
    sampleReferrer(sampleImage([`${(i + 1) % n}`]).root),
  ],
};

/** How often these layouts are asked for referrers, or for what has any. */
async function asksOf(layouts: readonly Layout[], work: () => Promise<unknown>): Promise<number> {
  const spies = layouts.flatMap((layout) => [vi.spyOn(layout, 'referrers'), vi.spyOn(layout, 'subjects')]);
  await work();
  return spies.map(({ mock }) => mock.calls.length).reduce((a, b) => a + b);
}

test.each(Object.entries(SIGNED))(
  'a merge of twice as many layouts asks at most twice as often for referrers: %s',
  async (_, make) => {
    const cost = async (n: number): Promise<{ asked: number; copied: number }> => {
      const from: Layout[] = [];
      for (let i = 0; i < n; i++) {
        const layout = await Layout.create(tempFolderInMemory());
        await layout.update(async (content) => {
          for (const [at, image] of make(i, n).entries())
            await addSample(content, image, at === 0 ? [`app:${i}`] : []);
        });
        from.push(layout);
      }
      const to = await Layout.create(tempFolderInMemory());
      const asked = await asksOf(from, async () => merge({ from, to }));
      return { asked, copied: (await to.subjects()).size };
    };
    const [few, many] = [await cost(5), await cost(10)];
    expect(few.copied).toBeGreaterThan(0);
    expect(many.copied).toBeGreaterThanOrEqual(few.copied);
    expect(many.asked).toBeLessThanOrEqual(2 * few.asked);
  },
);

/** How often n layouts are asked that each hold one platform of an image. */
async function askedForPlatforms(n: number): Promise<number> {
  const platforms = Array.from({ length: n }, (_, i) => sampleImage(['app'], `a${i}`));
  const from = await Promise.all(platforms.map(async (image) => layoutOf(image, sampleReferrer(image.root))));
  return asksOf(from, async () => {
    const [{ place, content, root }] = (await select(from, { images: ['app:1'] })) as [SelectedImage];
    const found = await referrersOf(content, place, await contentsOf(content, root), {});
    expect(found).toHaveLength(n);
  });
}

test('so does an image with a platform in each of twice as many layouts', async () => {
  expect(await askedForPlatforms(10)).toBeLessThanOrEqual(2 * (await askedForPlatforms(5)));
});

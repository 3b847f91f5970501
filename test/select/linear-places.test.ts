import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { ImagePlace } from '../../src/content/image-index.ts';
import type { StoreTransaction } from '../../src/content/store.ts';
import { OMITTED_LAYERS } from '../../src/image/annotations.ts';
import { Layout } from '../../src/layout/layout.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import { joinPlaces } from '../../src/select/places.ts';
import { drain } from '../../src/stream/drain.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { fetchImages } from '../../src/verbs/fetch.ts';
import { inspect } from '../../src/verbs/inspect.ts';
import { load } from '../../src/verbs/load/load.ts';
import { merge } from '../../src/verbs/merge.ts';
import { save } from '../../src/verbs/save/save.ts';
import { IN_MEMORY } from '../layout/folders.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';

const home = mkdtempSync(join(IN_MEMORY, 'drayage-places-'));
afterAll(() => rmSync(home, { recursive: true }));

const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Counts the looks for content in a place. */
function counted(place: ImagePlace, count: () => void): ImagePlace {
  const counting: ImagePlace = {
    has: async (descriptor, options) => {
      count();
      return place.has(descriptor, options);
    },
    open: async (descriptor, options) => {
      count();
      return place.open(descriptor, options);
    },
    images: async (options) => place.images(options),
    resolve: async (reference, options) => place.resolve(reference, options),
    referrers: async (descriptor, options) => place.referrers(descriptor, options),
    subjects: async (options) => place.subjects?.(options),
    digests: async () => place.digests?.(),
  };
  return counting;
}

/** What reads several places in one run. */
const VERBS: Record<string, (from: ImagePlace[]) => Promise<unknown>> = {
  inspect: async (from) => inspect({ from }),
  load: async (from) => load({ from, to: new MemoryEndpoint({ os: 'linux', architecture: 'a0' }) }),
  merge: async (from) => merge({ from, to: new MemoryStore() }),
  fetch: async (from) => fetchImages({ from, to: new MemoryStore() }),
  'fetch that completes': async (from) =>
    fetchImages({ from, to: new MemoryStore(), complete: async () => undefined }),
  save: async (from) => save({ from: joinPlaces(from), to: new MemoryStore() }),
  'export for docker': async (from) => drain(await exportArchive({ from })),
  'export as OCI': async (from) => drain(await exportArchive({ from, format: 'oci' })),
};

/** What each of n places holds. */
const HELD: Record<string, (content: StoreTransaction, i: number, n: number) => Promise<unknown>> = {
  'an image of its own': (content, i) =>
    addSample(content, sampleImage([`base ${i}`, `app ${i}`]), [`app:${i}`]),
  'one platform of an image': (content, i) =>
    addSample(content, sampleImage([`app ${i}`], `a${i}`), ['app:1']),
  'an image whose omitted layer another place has': async (content, i, n) => {
    const image = sampleImage([`base ${i}`, `app ${i}`]);
    await addSample(content, image, [`app:${i}`], { [OMITTED_LAYERS]: '1' }, image.layers.slice(0, 1));
    await addSample(content, sampleImage([`base ${n - 1 - i}`]), [`base:${n - 1 - i}`]);
  },
};

const made = new Map<string, Promise<Layout[]>>();

/** n layouts, made once for all verbs: these only read them. */
async function layouts(held: string, n: number): Promise<Layout[]> {
  const found = made.get(`${held}: ${n}`) ?? makeLayouts(held, n);
  made.set(`${held}: ${n}`, found);
  return found;
}

async function makeLayouts(held: string, n: number): Promise<Layout[]> {
  const all: Layout[] = [];
  for (const i of numbers(n)) {
    const layout = await Layout.create(mkdtempSync(join(home, 'layout-')));
    await layout.update(async (content) => HELD[held]?.(content, i, n));
    all.push(layout);
  }
  return all;
}

/** How often a run looks for content in n places. */
async function looks(
  run: (from: ImagePlace[]) => Promise<unknown>,
  held: string,
  n: number,
): Promise<number> {
  let count = 0;
  const places = (await layouts(held, n)).map((layout) => counted(layout, () => void (count += 1)));
  await run(places);
  return count;
}

test.each(
  Object.keys(HELD).flatMap((held) => Object.entries(VERBS).map(([verb, run]) => [verb, held, run] as const)),
)('%s looks at most twice as often if twice as many places have %s', async (_, held, run) => {
  const [once, twice] = [await looks(run, held, 8), await looks(run, held, 16)];
  expect(once).toBeGreaterThan(0);
  expect(twice).toBeLessThanOrEqual(2.1 * once);
});

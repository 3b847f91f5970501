import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { Budget, withBudget } from '../../src/budget.ts';
import { BASE_JOBS } from '../../src/image/annotations.ts';
import { baseJobsAnnotation } from '../../src/image/base-jobs.ts';
import { Layout } from '../../src/layout/layout.ts';
import { Registries } from '../../src/registry/registries.ts';
import { copy } from '../../src/verbs/copy.ts';
import { diff } from '../../src/verbs/diff.ts';
import { fetchImages } from '../../src/verbs/fetch.ts';
import { inspect } from '../../src/verbs/inspect.ts';
import { load } from '../../src/verbs/load/load.ts';
import { merge } from '../../src/verbs/merge.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { promote } from '../../src/verbs/promote/promote.ts';
import { prune } from '../../src/verbs/prune.ts';
import { save } from '../../src/verbs/save/save.ts';
import { sign } from '../../src/verbs/sign.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { drain } from '../../src/stream/drain.ts';
import { IN_MEMORY, tempFolderInMemory } from '../layout/folders.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';

/** Where layouts are made, each once for all verbs. */
const home = mkdtempSync(join(IN_MEMORY, 'drayage-linear-'));
afterAll(() => rmSync(home, { recursive: true }));

const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** A layout with n of something. */
const HOSTILE: Record<string, (n: number) => Promise<Layout>> = {
  'manifests in an index': async (n) => layoutOf((add) => add(sampleIndex(variants(n)), ['app:1'])),
  'names of an image': async (n) =>
    layoutOf((add) =>
      add(
        sampleImage(['a']),
        numbers(n).map((i) => `app:${i}`),
      ),
    ),
  images: async (n) =>
    layoutOf(async (add) => {
      for (const i of numbers(n)) await add(sampleImage([`${i}`]), [`app:${i}`]);
    }),
  'referrers of an image': async (n) =>
    layoutOf(async (add) => {
      const image = sampleImage(['a']);
      await add(image, ['app:1']);
      for (const i of numbers(n)) await add(sampleReferrer(image.root, `${i}`), []);
    }),
  'chained referrers': async (n) =>
    layoutOf(async (add) => {
      let last = sampleImage(['a']);
      await add(last, ['app:1']);
      for (const i of numbers(n)) {
        last = sampleReferrer(last.root, `${i}`);
        await add(last, []);
      }
    }),
  'indexes over the same manifests': async (n) =>
    layoutOf(async (add) => {
      const parts = variants(4);
      for (const i of numbers(n)) await add(sampleIndex([...parts, sampleImage([`${i}`])]), [`app:${i}`]);
    }),
  'places of omitted layers, for each manifest of an index': async (n) =>
    layoutOf((add) => {
      const places = numbers(n).map((i) => {
        const place = { server: 'https://gitlab.example', project: '1', job: `${i}`, path: '' };
        return [sampleImage([`${i}`]).root.digest, place] as const;
      });
      const annotations = { [BASE_JOBS]: baseJobsAnnotation(new Map(places)) ?? '' };
      return add(sampleIndex(variants(n)), ['app:1'], annotations);
    }),
};

const empty = (): Buffer => Buffer.from('{}');

/** Each returns how many requests it sent, if it sends any. */
const VERBS: Record<string, (layout: Layout) => Promise<unknown>> = {
  inspect: async (layout) => inspect({ from: [layout] }),
  verify: async (layout) => verify({ layout }),
  diff: async (layout) => diff({ a: { place: layout }, b: { place: layout } }),
  merge: async (layout) => merge({ from: [layout], to: await Layout.create(tempFolderInMemory()) }),
  save: async (layout) => save({ from: layout, to: await Layout.create(tempFolderInMemory()) }),
  fetch: async (layout) => fetchImages({ from: [layout], to: await Layout.create(tempFolderInMemory()) }),
  copy: async (layout) => copy({ from: layout, to: await Layout.create(tempFolderInMemory()) }),
  load: async (layout) => load({ from: [layout], to: new MemoryEndpoint(FIRST) }),
  promote: async (layout) => {
    const registry = await FakeRegistry.start();
    await using registries = new Registries();
    const promotions = (name: string): string[] => [`${registry.host}/${name}`];
    await promote({ from: [layout], promotions, registries });
    return registry.seen.length;
  },
  sign: async (layout) => sign({ layout, statement: empty, sign: async (bytes) => bytes, now: new Date(0) }),
  'export as OCI': async (layout) => drain(await exportArchive({ from: [layout], format: 'oci' })),
  prune: async (layout) => prune({ layout }),
  'prune of a name': async (layout) => prune({ layout, images: ['app:1'] }),
  'prune of what is old': async (layout) => prune({ layout, before: new Date('2999-01-01') }),
};

/** The platform of the first of {@link variants}. */
const FIRST = { os: 'linux', architecture: 'a0' };

test.each(
  Object.keys(HOSTILE).flatMap((what) =>
    Object.entries(VERBS).map(([verb, run]) => [verb, what, run] as const),
  ),
)('%s reads at most twice as much for twice as many %s', async (verb, what, run) => {
  const cost = async (n: number): Promise<Cost> => {
    const path = await copyOf(what, n);
    return costOf(async () => run(await Layout.open(path)));
  };
  const [once, twice] = [await cost(10), await cost(20)];
  // These are counted at all.
  expect(once.documents * once.parsed).toBeGreaterThan(0);
  expect(once.requests > 0).toBe(verb === 'promote');
  // What is removed is not read: that is a tenth of the smaller layout.
  for (const kind of KINDS)
    expect({ [kind]: twice[kind] }).toEqual({
      [kind]: expect.toSatisfy((x: number) => x <= 2.25 * once[kind] + 10),
    });
});

/**
 * What is counted beside what a budget counts. `parsed`: characters of JSON that are parsed, also of annotations;
 * `requests`: to a registry.
 */
const KINDS = [
  'documents',
  'documentMemory',
  'entries',
  'referrers',
  'layouts',
  'read',
  'parsed',
  'requests',
] as const;
type Cost = Record<(typeof KINDS)[number], number>;

/** What work spends. */
async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const budget = new Budget();
  const parse = JSON.parse;
  let parsed = 0;
  const spy = vi.spyOn(JSON, 'parse').mockImplementation((text, reviver) => {
    // Servers of the test run in this process, too.
    if (new Error('where').stack?.includes('/src/oci/json.ts') === true) parsed += text.length;
    return parse(text, reviver) as unknown;
  });
  onTestFinished(() => spy.mockRestore());
  const result = await withBudget(work, budget);
  spy.mockRestore();
  return { ...budget.spent, parsed, requests: typeof result === 'number' ? result : 0 };
}

function variants(n: number): ReturnType<typeof sampleImage>[] {
  return numbers(n).map((i) => sampleImage(['a'], `a${i}`));
}

const made = new Map<string, Promise<Layout>>();

/** The path of a layout that the test may change. */
async function copyOf(what: string, n: number): Promise<string> {
  const layout = made.get(`${what}: ${n}`) ?? HOSTILE[what]?.(n) ?? expect.fail();
  made.set(`${what}: ${n}`, layout);
  const path = tempFolderInMemory();
  cpSync((await layout).path, path, { recursive: true });
  return path;
}

type Add = (
  image: ReturnType<typeof sampleImage>,
  names: string[],
  annotations?: Record<string, string>,
) => Promise<void>;

async function layoutOf(fill: (add: Add) => Promise<void>): Promise<Layout> {
  const layout = await Layout.create(mkdtempSync(join(home, 'layout-')));
  await layout.update(async (content) =>
    fill(async (image, names, annotations) => addSample(content, image, names, annotations)),
  );
  return layout;
}

import { expect, test } from 'vitest';
import { Budget, withBudget } from '../../src/budget.ts';
import { Layout } from '../../src/layout/layout.ts';
import { inspect } from '../../src/verbs/inspect.ts';
import { merge } from '../../src/verbs/merge.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { prune } from '../../src/verbs/prune.ts';
import { save } from '../../src/verbs/save/save.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { drain } from '../../src/stream/drain.ts';
import { tempFolder } from '../layout/folders.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';

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
      for (const i of numbers(n)) {
        const extra = { ...sampleImage([`${i}`]).root, annotations: { i: `${i}` } };
        await add(sampleIndex(parts, [extra]), [`app:${i}`]);
      }
    }),
};

const VERBS: Record<string, (layout: Layout) => Promise<unknown>> = {
  inspect: async (layout) => inspect({ from: [layout] }),
  verify: async (layout) => verify({ layout }),
  merge: async (layout) => merge({ from: [layout], to: await Layout.create(tempFolder()) }),
  save: async (layout) => save({ from: layout, to: await Layout.create(tempFolder()) }),
  'export as OCI': async (layout) => drain(await exportArchive({ from: [layout], format: 'oci' })),
  prune: async (layout) => prune({ layout }),
};

test.each(
  Object.entries(HOSTILE).flatMap(([what, make]) =>
    Object.entries(VERBS).map(([verb, run]) => [verb, what, make, run] as const),
  ),
)('%s reads at most twice as much for twice as many %s', async (_verb, _what, make, run) => {
  const cost = async (n: number): Promise<Budget['spent']> => {
    const layout = await make(n);
    const budget = new Budget();
    await withBudget(async () => run(await Layout.open(layout.path)), budget);
    return budget.spent;
  };
  const [once, twice] = [await cost(10), await cost(20)];
  expect(once.documents).toBeGreaterThan(0);
  for (const kind of ['documents', 'documentMemory', 'entries', 'referrers', 'layouts', 'read'] as const)
    expect({ [kind]: twice[kind] }).toEqual({
      [kind]: expect.toSatisfy((x: number) => x <= 2 * once[kind] + 10),
    });
});

function variants(n: number): ReturnType<typeof sampleImage>[] {
  return numbers(n).map((i) => sampleImage(['a'], `a${i}`));
}

type Add = (image: ReturnType<typeof sampleImage>, names: string[]) => Promise<void>;

async function layoutOf(fill: (add: Add) => Promise<void>): Promise<Layout> {
  const layout = await Layout.create(tempFolder());
  await layout.update(async (content) => fill(async (image, names) => addSample(content, image, names)));
  return layout;
}

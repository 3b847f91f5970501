import { expect, test } from 'vitest';
import { Budget, withBudget } from '../../src/budget.ts';
import type { JobLayout } from '../../src/image/base-job.ts';
import { BaseJob } from '../../src/image/base-job.ts';
import type { Layer } from '../../src/image/layer.ts';
import { Ledger } from '../../src/image/ledger.ts';
import { Layout } from '../../src/layout/layout.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { tempFolderInMemory } from '../layout/folders.ts';

/** A layout of a job, with two images, and the layer of each. */
async function jobLayout(): Promise<{ layout: JobLayout; layers: Layer[] }> {
  const place = await Layout.create(tempFolderInMemory());
  const images = [sampleImage(['one']), sampleImage(['two'])];
  await place.update(async (content) => {
    for (const [i, image] of images.entries()) await addSample(content, image, [`app:${i}`], {});
  });
  const at = { server: 'https://gitlab.example', project: '12', job: '7', path: '.drayage/7' };
  const layers = images.map(({ layers: [blob = expect.fail()], diffIds: [diffId = expect.fail()] }) => ({
    blob,
    diffId,
  }));
  return { layout: { place, at }, layers };
}

const held = async (base: BaseJob, layers: readonly Layer[]): Promise<boolean[]> =>
  Promise.all(layers.map((layer) => base.holds(layer)));

test('a layout is read once, whichever run asks', async () => {
  const { layout, layers } = await jobLayout();
  const budgets = [new Budget(), new Budget()];
  for (const budget of budgets) {
    const base = await withBudget(() => BaseJob.open(layout, new Ledger()), budget);
    expect(await held(base, layers)).toEqual([true, true]);
  }
  // Those of the layout itself, and two of each image.
  expect(budgets.map(({ spent }) => spent.documents)).toEqual([7, 0]);
});

test.each([3, 4, 5, 6])(
  'it is read again after a run that might read only %i of its documents',
  async (documents) => {
    const { layout, layers } = await jobLayout();
    const small = new Budget({ documents });
    await expect(withBudget(() => BaseJob.open(layout, new Ledger()), small)).rejects.toMatchObject({
      code: 'LIMIT',
    });
    const base = await withBudget(() => BaseJob.open(layout, new Ledger()));
    expect(await held(base, layers)).toEqual([true, true]);
  },
);

test('it is read again after a run that was stopped, also at the same time', async () => {
  const { layout, layers } = await jobLayout();
  const stopped = BaseJob.open(layout, new Ledger(), { signal: AbortSignal.abort(new Error('stopped')) });
  const base = BaseJob.open(layout, new Ledger());
  await expect(stopped).rejects.toThrow('stopped');
  expect(await held(await base, layers)).toEqual([true, true]);
});

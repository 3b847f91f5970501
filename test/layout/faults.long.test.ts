import type * as Promises from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { UpdateOptions } from '../../src/layout/layout.ts';
import { Layout } from '../../src/layout/layout.ts';
import { faults, inject } from './faulty-disk.ts';
import { ageLeftovers, snapshot, tempFolderInMemory } from './folders.ts';
import { save } from '../../src/verbs/save/save.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { buildkitEntry, writeBuilderLayout } from '../support/builder-layout.ts';
import { MemoryRegistry } from '../support/memory-registry.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { contentOf } from './sample-images.ts';

vi.mock('node:fs/promises', async (original) => {
  const { faulty } = await import('./faulty-disk.ts');
  return faulty(await original<typeof Promises>());
});

/** Some fifty updates each: long where others use the disk. */
const SLOW = { timeout: 120_000 };
/** A hundred adoptions each, and as many checks of their layers. */
const SLOWER = { timeout: 300_000 };

const APP = sampleImage(['base', 'app']);
const TOOLS = sampleImage(['base', 'tools']);

beforeEach(() => inject());

async function place(isNew: boolean): Promise<{ folder: string; layout: Layout }> {
  const folder = tempFolderInMemory();
  const layout = await Layout.create(join(folder, 'deep/layout'));
  if (!isNew) await layout.update((transaction) => addSample(transaction, TOOLS, ['tools']));
  return { folder, layout };
}

function update(layout: Layout, options?: UpdateOptions): Promise<void> {
  return layout.update((transaction) => addSample(transaction, APP, ['app']), options);
}

/** How many calls an update makes that a fault can hit. */
async function countCalls(isNew: boolean): Promise<number> {
  const { layout } = await place(isNew);
  faults.count = 0;
  await update(layout);
  const { count } = faults;
  return count;
}

describe.each([
  ['a new layout', true],
  ['a layout', false],
])('an update of %s', (_, isNew) => {
  test.each([
    ['ENOSPC', false],
    ['EACCES', false],
    ['EROFS', false],
    ['EIO', true],
    ['EMFILE', true],
  ])(
    'changes nothing where whichever call fails with %s (calls that read, too: %s)',
    SLOW,
    async (code, reads) => {
      faults.reads = reads;
      const calls = await countCalls(isNew);
      expect(calls).toBeGreaterThan(20);
      for (let i = 1; i <= calls; i++) {
        const { folder, layout } = await place(isNew);
        const before = snapshot(folder);
        Object.assign(faults, { count: 0, failAt: i, code });
        const error = await update(layout).catch((thrown: unknown) => thrown);
        faults.failAt = Infinity;
        // Sweeping others' leftovers and staging elsewhere may get over a fault: then all is well.
        if (error === undefined) expect(await layout.images()).toHaveLength(isNew ? 1 : 2);
        else {
          expect(error, `call ${i}`).toMatchObject({
            code: 'IO',
            facts: { actual: code, path: expect.any(String) },
          });
          expect(snapshot(folder), `call ${i}`).toEqual(before);
        }
        // It waits for no lock that is left.
        await update(layout, { lockTimeout: 0 });
        for (const [descriptor] of APP.blobs) await layout.verifyBlob(descriptor);
      }
    },
  );

  test('that is killed at whichever call leaves the old images or the new ones, whole', SLOW, async () => {
    const calls = await countCalls(isNew);
    for (let i = 1; i <= calls; i++) {
      const { layout } = await place(isNew);
      Object.assign(faults, { count: 0, failAt: i, forGood: true });
      await update(layout).catch(() => {});
      Object.assign(faults, { failAt: Infinity, forGood: false });
      const again = await Layout.create(layout.path);
      const images = await again.images();
      const hasApp = images.some(({ names }) => names.includes('app:latest'));
      expect(images, `call ${i}`).toHaveLength((isNew ? 0 : 1) + (hasApp ? 1 : 0));
      for (const [descriptor] of hasApp ? APP.blobs : []) await again.verifyBlob(descriptor);
      if (images.length > 0) expect((await verify({ layout: again })).problems, `call ${i}`).toEqual([]);
    }
  });
});

/** A layout as an older builder leaves it. */
async function written(): Promise<string> {
  const path = join(tempFolderInMemory(), 'layout');
  const entries = [buildkitEntry(APP, 'app', '1')];
  await writeBuilderLayout(path, { content: [APP], entries, isMarked: false });
  return path;
}

/** It is what the builder left, or the image is ours; in any case it is whole. */
async function assertWhole(path: string, call: number): Promise<boolean> {
  const layout = await Layout.adopt(path);
  const [image] = await layout.images();
  const isOurs = image?.annotations['origin'] === 'here';
  expect((await verify({ layout })).problems, `call ${call}`).toEqual([]);
  const [bottom = APP.root, top = APP.root] = APP.layers;
  await layout.verifyBlob(top);
  if (!isOurs) await layout.verifyBlob(bottom);
  return isOurs;
}

describe('an adoption that omits layers', () => {
  const NAME = 'registry.example/base:1';
  const base = sampleImage(['base']);
  const registry = new MemoryRegistry();
  registry.push(NAME, base.root, contentOf([base]));

  async function adopt(path: string): Promise<void> {
    const layout = await Layout.adopt(path);
    const thin = { when: 'always', openRepository: registry.open, asked: [NAME] } as const;
    await save({ from: layout, to: layout, images: ['app:1'], thin, annotations: { origin: 'here' } });
  }

  /** How many calls a fault can hit; the adoption succeeds. */
  async function count(): Promise<number> {
    const path = await written();
    faults.count = 0;
    await adopt(path);
    return faults.count;
  }

  async function assertDone(path: string, call: number): Promise<void> {
    ageLeftovers(dirname(path));
    await adopt(path);
    expect(await assertWhole(path, call)).toBe(true);
    expect(snapshot(path).filter((line) => line.includes('blobs/sha256/'))).toHaveLength(
      APP.blobs.length - 1,
    );
  }

  test('leaves the layout of the builder or ours, whichever call fails', SLOWER, async () => {
    const calls = await count();
    expect(calls).toBeGreaterThan(20);
    for (let i = 1; i <= calls; i++) {
      const path = await written();
      const before = snapshot(path);
      Object.assign(faults, { count: 0, failAt: i, code: 'EIO' });
      const error = await adopt(path).catch((thrown: unknown) => thrown);
      faults.failAt = Infinity;
      const isOurs = await assertWhole(path, i);
      if (error !== undefined && !isOurs) expect(snapshot(path), `call ${i}`).toEqual(before);
      await assertDone(path, i);
    }
  });

  test('leaves one of the two, whichever call it is killed at', SLOWER, async () => {
    const calls = await count();
    for (let i = 1; i <= calls; i++) {
      const path = await written();
      Object.assign(faults, { count: 0, failAt: i, forGood: true });
      await adopt(path).catch(() => {});
      Object.assign(faults, { failAt: Infinity, forGood: false });
      await assertWhole(path, i);
      await assertDone(path, i);
    }
  });
});

describe('an update that ends early', () => {
  test.each([true, false])('by an error of its work changes nothing (new layout: %s)', async (isNew) => {
    const { folder, layout } = await place(isNew);
    const before = snapshot(folder);
    const failing = layout.update(async (transaction) => {
      await addSample(transaction, APP, ['app']);
      await (await transaction.begin()).write(Buffer.from('half'));
      throw new Error('no more');
    });
    await expect(failing).rejects.toThrow('no more');
    expect(snapshot(folder)).toEqual(before);
  });

  test.each([true, false])('by a signal changes nothing (new layout: %s)', async (isNew) => {
    const { folder, layout } = await place(isNew);
    const before = snapshot(folder);
    const controller = new AbortController();
    const aborted = layout.update(
      async (transaction) => {
        await addSample(transaction, APP, ['app']);
        controller.abort(new Error('stopped'));
      },
      { signal: controller.signal },
    );
    await expect(aborted).rejects.toThrow('stopped');
    expect(snapshot(folder)).toEqual(before);
  });

  test('by a signal refuses further work', async () => {
    const { layout } = await place(true);
    const controller = new AbortController();
    const aborted = layout.update(
      async (transaction) => {
        controller.abort(new Error('stopped'));
        await addSample(transaction, APP, ['app']);
      },
      { signal: controller.signal },
    );
    await expect(aborted).rejects.toThrow('stopped');
  });
});

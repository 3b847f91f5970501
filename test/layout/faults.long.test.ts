import type * as Promises from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { snapshot, tempFolderInMemory } from './folders.ts';
import { addSample, sampleImage } from './sample-images.ts';

/** The file system's faults: the call with this number fails, alone or with all that follow. */
const faults = vi.hoisted(() => ({
  count: 0,
  failAt: Infinity,
  forGood: false,
  code: 'ENOSPC',
  guard<A extends unknown[], R>(call: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return async (...args) => {
      this.check();
      return call(...args);
    };
  },
  check(): void {
    this.count += 1;
    if (this.count !== this.failAt && !(this.forGood && this.count > this.failAt)) return;
    throw Object.assign(new Error(`${this.code}: injected`), { code: this.code });
  },
}));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof Promises>();
  const open = async (...args: Parameters<typeof real.open>): Promise<Promises.FileHandle> => {
    faults.check();
    const handle = await real.open(...args);
    return Object.assign(handle, {
      write: faults.guard(handle.write.bind(handle)),
      writev: faults.guard(handle.writev.bind(handle)),
      writeFile: faults.guard(handle.writeFile.bind(handle)),
      sync: faults.guard(handle.sync.bind(handle)),
    });
  };
  const { mkdir, rename, rm, rmdir, unlink } = real;
  return {
    ...real,
    open,
    mkdir: faults.guard(mkdir),
    rename: faults.guard(rename),
    // Cleaning up works on a full disk, and does not when the process is dead.
    rm: (...args: Parameters<typeof rm>) => (faults.forGood ? faults.guard(rm)(...args) : rm(...args)),
    rmdir: (...args: Parameters<typeof rmdir>) =>
      faults.forGood ? faults.guard(rmdir)(...args) : rmdir(...args),
    unlink: (...args: Parameters<typeof unlink>) =>
      faults.forGood ? faults.guard(unlink)(...args) : unlink(...args),
  };
});

/** Some fifty updates each: long where others use the disk. */
const SLOW = { timeout: 120_000 };

const APP = sampleImage(['base', 'app']);
const TOOLS = sampleImage(['base', 'tools']);

beforeEach(() => {
  Object.assign(faults, { count: 0, failAt: Infinity, forGood: false, code: 'ENOSPC' });
});

async function place(isNew: boolean): Promise<{ folder: string; layout: Layout }> {
  const folder = tempFolderInMemory();
  const layout = await Layout.create(join(folder, 'deep/layout'));
  if (!isNew) await layout.update((transaction) => addSample(transaction, TOOLS, ['tools']));
  return { folder, layout };
}

function update(layout: Layout): Promise<void> {
  return layout.update((transaction) => addSample(transaction, APP, ['app']));
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
  test.each(['ENOSPC', 'EACCES', 'EIO'])(
    'changes nothing where whichever call fails with %s',
    SLOW,
    async (code) => {
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
        await update(layout);
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

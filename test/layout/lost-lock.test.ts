import { readdirSync, rmSync } from 'node:fs';
import type * as Promises from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { placeOf, tempFolder } from './folders.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';

/** What happens once a file was moved to this place, before its mover goes on. */
const hook = vi.hoisted(() => ({
  afterMoveTo: async (_path: string): Promise<void> => {},
  beforeMoveTo: (_path: string): void => {},
}));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof Promises>();
  const rename = async (from: string, to: string): Promise<void> => {
    hook.beforeMoveTo(placeOf(to));
    await real.rename(from, to);
    await hook.afterMoveTo(placeOf(to));
  };
  return { ...real, rename };
});

const APP = sampleImage(['base', 'app']);
const TOOLS = sampleImage(['base', 'tools']);

/** Has another writer break the lock and commit, when the first one has just moved a file that the test names. */
function overtake(folder: string, other: Layout, isTheMoment: (to: string) => boolean): void {
  hook.afterMoveTo = async (to) => {
    if (!isTheMoment(to)) return;
    hook.afterMoveTo = async () => {};
    const lock = join(folder, '.layout.drayage/lock');
    for (const name of readdirSync(lock)) rmSync(join(lock, name));
    await other.update((transaction) => addSample(transaction, APP, ['app']));
  };
}

test.each([
  ['makes the layout', true, (to: string) => basename(to) === 'oci-layout'],
  ['has published a blob', true, (to: string) => to.includes('/blobs/')],
  ['has published a blob of another image', false, (to: string) => to.includes('/blobs/')],
])('a writer that loses the lock when it %s takes nothing back', async (_, isNew, isTheMoment) => {
  const folder = tempFolder();
  const path = join(folder, 'layout');
  const layout = await Layout.create(path);
  if (!isNew) await layout.update((transaction) => addSample(transaction, TOOLS, ['tools']));
  overtake(folder, await Layout.create(path), isTheMoment);
  const late = layout.update((transaction) => addSample(transaction, APP, ['app']));
  await expect(late).rejects.toMatchObject({ code: 'LOCKED' });
  const now = await Layout.open(path);
  expect((await now.images()).flatMap(({ names }) => names)).toContain('app:latest');
  for (const [descriptor] of APP.blobs) await now.verifyBlob(descriptor);
});

test('a lock that is free and cannot be taken is waited for like one that is held', async () => {
  const folder = tempFolder();
  const told: string[] = [];
  const layout = await Layout.create(join(folder, 'layout'), {
    lockTimeout: 300,
    onProgress: (event) => void (event.kind === 'waiting' && told.push(event.what)),
  });
  let attempts = 0;
  hook.beforeMoveTo = (to) => {
    if (basename(to) !== 'lock') return;
    // As where a folder is never moved over an empty one. In the end it is, so that a wait without a bound shows.
    if (++attempts < 1000) throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' });
  };
  const change = layout.update((transaction) => addSample(transaction, APP, ['app']));
  await expect(change).rejects.toMatchObject({ code: 'LOCKED' });
  hook.beforeMoveTo = () => {};
  expect(told).toEqual(['lock']);
});

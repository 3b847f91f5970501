import { setImmediate } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { MemoryContent } from '../../src/memory/memory-content.ts';
import type { Objects } from '../../src/memory/object-store.ts';
import { ObjectStore } from '../../src/memory/object-store.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, chunksOf, sampleImage } from '../../src/testing/sample-images.ts';

const APP = sampleImage(['base', 'app']);
const OTHER = sampleImage(['base', 'other']);

/** A store, and how often each blob was opened in it. */
function counted(): { store: MemoryStore; content: MemoryContent; opened: () => Map<string, number> } {
  const content = new MemoryContent();
  const open = vi.spyOn(content, 'open');
  const opened = (): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const [{ digest }] of open.mock.calls) counts.set(digest, (counts.get(digest) ?? 0) + 1);
    open.mockClear();
    return counts;
  };
  return { store: new MemoryStore(content), content, opened };
}

const add = async (store: MemoryStore, images: [SampleImage, string][]): Promise<void> =>
  store.update(async (transaction) => {
    for (const [image, name] of images) await addSample(transaction, image, [name]);
  });

test('an update reads each stored blob of its images once to prove it', async () => {
  const { store, opened } = counted();
  await add(store, [[APP, 'app:1']]);
  opened();
  await add(store, [
    [APP, 'app:2'],
    [OTHER, 'other:1'],
  ]);
  const counts = opened();
  // Put by both images, and needed by both.
  for (const { digest } of APP.layers) expect(counts.get(digest)).toBe(1);
  await add(store, [[APP, 'app:3']]);
  expect(opened().get(APP.layers[0]?.digest ?? '')).toBe(1);
});

test('a blob that was dropped is read again before an image needs it', async () => {
  const { store } = counted();
  const [[layer, bytes] = expect.fail()] = APP.blobs;
  const updated = store.update(async (transaction) => {
    await addSample(transaction, APP, ['app:1']);
    await transaction.put(layer, chunksOf(bytes));
    transaction.drop?.(layer.digest);
  });
  await expect(updated).rejects.toMatchObject({ code: 'INCOMPLETE' });
});

test('a blob of another size than the intact one is refused', async () => {
  const { store } = counted();
  await add(store, [[APP, 'app:1']]);
  const { root } = APP;
  const updated = store.update(async (transaction) => {
    await transaction.put(root, chunksOf(APP.blobs.at(-1)?.[1] ?? expect.fail()));
    transaction.add({ ...root, size: root.size + 1 }, ['app:2'], {});
  });
  await expect(updated).rejects.toMatchObject({ code: 'INCOMPLETE' });
});

test.each<[string, (store: ObjectStore, signal: AbortSignal) => Promise<unknown>]>([
  ['images', (store, signal) => store.images({ signal })],
  ['resolve', (store, signal) => store.resolve('app:1', { signal })],
  ['referrers', (store, signal) => store.referrers(APP.root, { signal })],
  ['update', (store, signal) => store.update(async () => {}, { signal })],
])('a signal aborts an index that hangs: %s', async (_, ask) => {
  const content = new MemoryContent();
  const objects: Objects = {
    location: 'a server',
    has: (...args) => content.has(...args),
    open: (...args) => content.open(...args),
    put: (...args) => content.put(...args),
    readIndex: async ({ signal } = {}) =>
      new Promise((_go, fail) => {
        signal?.addEventListener('abort', () => fail(signal.reason as Error));
      }),
    swapIndex: async () => true,
  };
  const stop = new AbortController();
  let reason: unknown;
  const asked = ask(new ObjectStore(objects), stop.signal).catch((error: unknown) => (reason = error));
  await setImmediate();
  stop.abort(new Error('enough'));
  await setImmediate();
  expect(reason).toMatchObject({ message: 'enough' });
  await asked;
});

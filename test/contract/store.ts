import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { ImageStore, StoreTransaction } from '../../src/content/store.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../layout/sample-images.ts';
import { chunksOf, describeBytes } from './content.ts';

const APP = sampleImage(['base', 'app']);
const TOOLS = sampleImage(['base', 'tools']);
const ARM = sampleImage(['arm'], 'arm64');
const LOOSE = Buffer.from('a blob that no image reaches');

/** Every image of a store: its names, and the digest of its root. */
async function listed(store: ImageStore): Promise<[string[], string][]> {
  return (await store.images()).map(({ names, root }) => [names, root.digest]);
}

async function holdsAll(store: ImageStore, blobs: readonly Descriptor[]): Promise<boolean[]> {
  return Promise.all(blobs.map((blob) => store.has(blob)));
}

/**
 * What every store of images has to do.
 * @param make makes an empty store
 */
export function imageStoreContract(name: string, make: () => Promise<ImageStore>): void {
  describe(`${name} is a store of images`, () => {
    test('it is empty at first, and has a location', async () => {
      const store = await make();
      expect(await store.images()).toEqual([]);
      expect(store.location).not.toBe('');
      await expect(store.resolve('app:1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    test('it holds what an update added, and gives back what the update returned', async () => {
      const store = await make();
      const result = await store.update(async (transaction) => {
        await addSample(transaction, APP, ['app:1'], { from: 'a test' });
        return 'done';
      });
      expect(result).toBe('done');
      expect(await store.images()).toMatchObject([
        { root: { digest: APP.root.digest }, names: ['app:1'], annotations: { from: 'a test' } },
      ]);
      for (const [descriptor, bytes] of APP.blobs)
        expect((await buffer(await store.open(descriptor))).equals(bytes)).toBe(true);
      for (const reference of ['app:1', 'docker.io/library/app:1', APP.root.digest, APP.config.digest])
        expect((await store.resolve(reference)).map(({ root }) => root.digest)).toEqual([APP.root.digest]);
    });

    test('it keeps nothing that no added image reaches', async () => {
      const store = await make();
      await store.update(async (transaction) => {
        await transaction.put(describeBytes(LOOSE), chunksOf(LOOSE));
        const writer = await transaction.begin();
        await writer.write(LOOSE);
        await writer.commit();
        await addSample(transaction, APP, ['app:1']);
      });
      expect(await store.has(describeBytes(LOOSE))).toBe(false);
      expect(await holdsAll(store, APP.layers)).toEqual([true, true]);
    });

    test('an update sees what is stored and what it has written, others only what is stored', async () => {
      const store = await make();
      await store.update((transaction) => addSample(transaction, APP, ['app:1']));
      await store.update(async (transaction) => {
        await addSample(transaction, TOOLS, ['tools:1']);
        for (const [descriptor] of [...APP.blobs, ...TOOLS.blobs])
          expect(await transaction.has(descriptor)).toBe(true);
        expect(await store.has(TOOLS.root)).toBe(false);
        expect(await listed(store)).toEqual([[['app:1'], APP.root.digest]]);
      });
      expect(await listed(store)).toHaveLength(2);
    });

    test('a name moves to the image that is added under it, for the same platform', async () => {
      const store = await make();
      const amd = { os: 'linux', architecture: 'amd64' };
      await store.update(async (transaction) => {
        await addSample(transaction, { ...APP, root: { ...APP.root, platform: amd } }, ['app:1', 'app:2']);
        await addSample(
          transaction,
          { ...ARM, root: { ...ARM.root, platform: { ...amd, architecture: 'arm64' } } },
          ['app:1'],
        );
      });
      expect(await store.resolve('app:1')).toHaveLength(2);
      await store.update((transaction) =>
        addSample(transaction, { ...TOOLS, root: { ...TOOLS.root, platform: amd } }, ['app:1']),
      );
      expect(await listed(store)).toEqual([
        [['app:2'], APP.root.digest],
        [['app:1'], ARM.root.digest],
        [['app:1'], TOOLS.root.digest],
      ]);
    });

    test('it removes names and images', async () => {
      const store = await make();
      await store.update(async (transaction) => {
        await addSample(transaction, APP, ['app:1', 'app:2']);
        await addSample(transaction, TOOLS);
      });
      await store.update(async (transaction) => {
        transaction.remove('app:1');
        transaction.remove(TOOLS.root.digest);
      });
      expect(await listed(store)).toEqual([[['app:2'], APP.root.digest]]);
      for (const absent of ['app:1', TOOLS.root.digest]) {
        const removal = store.update(async (transaction) => transaction.remove(absent));
        await expect(removal).rejects.toMatchObject({ code: 'NOT_FOUND' });
      }
    });

    test('it finds what refers to an image', async () => {
      const store = await make();
      const signature = sampleReferrer(APP.root);
      await store.update(async (transaction) => {
        await addSample(transaction, APP, ['app:1']);
        await addSample(transaction, signature);
      });
      expect((await store.referrers(APP.root)).map(({ digest }) => digest)).toEqual([signature.root.digest]);
      expect(await store.referrers(TOOLS.root)).toEqual([]);
    });

    test.each([
      ['a layer', (image: typeof APP) => image.layers[1]],
      ['a config', (image: typeof APP) => image.config],
      ['a manifest', (image: typeof APP) => image.root],
    ])('it refuses an image that lacks %s, and is as it was', async (_, lacking) => {
      const store = await make();
      await store.update((transaction) => addSample(transaction, TOOLS, ['tools:1']));
      const absent = lacking(APP);
      const update = store.update((transaction) =>
        addSample(transaction, APP, ['app:1'], {}, absent === undefined ? [] : [absent]),
      );
      await expect(update).rejects.toMatchObject({ code: 'INCOMPLETE' });
      expect(await listed(store)).toEqual([[['tools:1'], TOOLS.root.digest]]);
    });

    test('it takes an image without the layers that it says are omitted', async () => {
      const store = await make();
      const [first] = APP.layers;
      const said = { 'dev.drayage.omitted-layers': '1' };
      await store.update((transaction) =>
        addSample(transaction, APP, ['app:1'], said, first === undefined ? [] : [first]),
      );
      expect(await holdsAll(store, APP.layers)).toEqual([false, true]);
      expect((await store.images())[0]?.annotations).toMatchObject(said);
    });

    test('it takes all that an index leads to', async () => {
      const store = await make();
      const index = sampleIndex([APP, ARM]);
      await store.update((transaction) => addSample(transaction, index, ['app:1']));
      expect(
        await holdsAll(
          store,
          index.blobs.map(([descriptor]) => descriptor),
        ),
      ).not.toContain(false);
    });

    test('where the work fails, it is as it was', async () => {
      const store = await make();
      await store.update((transaction) => addSample(transaction, APP, ['app:1']));
      const update = store.update(async (transaction) => {
        await addSample(transaction, TOOLS, ['app:1']);
        throw new Error('enough');
      });
      await expect(update).rejects.toThrow('enough');
      expect(await listed(store)).toEqual([[['app:1'], APP.root.digest]]);
      expect(await store.has(TOOLS.root)).toBe(false);
    });

    test('what is no name is refused at once', async () => {
      const store = await make();
      const update = store.update(async (transaction) => transaction.add(APP.root, ['Not A Name'], {}));
      await expect(update).rejects.toMatchObject({ code: 'USAGE' });
    });

    test('a transaction that is over takes nothing more', async () => {
      const store = await make();
      let kept: StoreTransaction | undefined;
      await store.update(async (transaction) => void (kept = transaction));
      const transaction = kept ?? expect.fail('no transaction');
      await expect(transaction.has(APP.root)).rejects.toMatchObject({ code: 'USAGE' });
      await expect(transaction.put(describeBytes(LOOSE), chunksOf(LOOSE))).rejects.toMatchObject({
        code: 'USAGE',
      });
      expect(() => transaction.add(APP.root, [], {})).toThrow('over');
    });

    test('an update ends with the reason of its signal, and changes nothing', async () => {
      const store = await make();
      const stop = new AbortController();
      const update = store.update(
        async (transaction) => {
          await addSample(transaction, APP, ['app:1']);
          stop.abort(new Error('enough'));
        },
        { signal: stop.signal },
      );
      await expect(update).rejects.toThrow('enough');
      await expect(store.update(async () => {}, { signal: stop.signal })).rejects.toThrow('enough');
      expect(await store.images()).toEqual([]);
    });

    test('of two updates at a time none is lost: it succeeds, or says that the store was locked', async () => {
      const store = await make();
      const images = [APP, TOOLS, ARM];
      const results = await Promise.allSettled(
        images.map((image, i) =>
          store.update((transaction) => addSample(transaction, image, [`image:${i}`])),
        ),
      );
      const done = images.filter((_, i) => results[i]?.status === 'fulfilled');
      expect(done.length).toBeGreaterThan(0);
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'LOCKED' });
      expect(new Set((await store.images()).map(({ root }) => root.digest))).toEqual(
        new Set(done.map(({ root }) => root.digest)),
      );
    });
  });
}

import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import type { ImageStore, StoreTransaction } from '../content/store.ts';
import { isDrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { ContractCase } from './contract.ts';
import { rejectsWith } from './contract.ts';
import type { SampleImage } from './sample-images.ts';
import {
  addSample,
  chunksOf,
  describeBytes,
  sampleImage,
  sampleIndex,
  sampleReferrer,
} from './sample-images.ts';

const APP = sampleImage(['base', 'app']);
const TOOLS = sampleImage(['base', 'tools']);
const ARM = sampleImage(['arm'], 'arm64');
const LOOSE = Buffer.from('a blob that no image leads to');
const AMD64 = { os: 'linux', architecture: 'amd64' };
const ENOUGH = new Error('enough');

/**
 * What every {@link ImageStore} promises.
 * @param make makes an empty store
 */
export function imageStoreContract(make: () => Promise<ImageStore>): ContractCase[] {
  const promise = (name: string, check: (store: ImageStore) => Promise<void>): ContractCase => ({
    name,
    run: async () => check(await make()),
  });
  return Object.entries({ ...READING, ...CHANGING, ...REFUSING, ...ENDING }).map(([name, check]) =>
    promise(name, check),
  );
}

type Promises = Readonly<Record<string, (store: ImageStore) => Promise<void>>>;

const READING: Promises = {
  'it is empty at first, and has a location': async (store) => {
    assert.deepEqual(await store.images(), []);
    assert.notEqual(store.location, '');
    await rejectsWith('NOT_FOUND', store.resolve('app:1'));
  },
  'it holds what an update added, and gives back what the update returned': async (store) => {
    const result = await store.update(async (transaction) => {
      await addSample(transaction, APP, ['app:1'], { from: 'a test' });
      return 'done';
    });
    assert.equal(result, 'done');
    const [image, ...others] = await store.images();
    assert.deepEqual(others, []);
    assert.equal(image?.root.digest, APP.root.digest);
    assert.deepEqual(image.names, ['app:1']);
    assert.equal(image.annotations['from'], 'a test');
    for (const [descriptor, bytes] of APP.blobs)
      assert.ok((await buffer(await store.open(descriptor))).equals(bytes));
    for (const reference of ['app:1', 'docker.io/library/app:1', APP.root.digest, APP.config.digest])
      assert.deepEqual(await resolved(store, reference), [APP.root.digest]);
  },
  'it gives out a blob from any offset': async (store) => {
    await store.update((transaction) => addSample(transaction, APP));
    const [blob, bytes] = APP.blobs[0] ?? assert.fail('a sample without blobs');
    for (const offset of [0, 1, bytes.length]) {
      const read = await buffer(await store.open(blob, { offset }));
      assert.ok(read.equals(bytes.subarray(offset)), `other bytes were read from offset ${offset}`);
    }
  },
  'it lacks what was not added': async (store) => {
    await store.update((transaction) => addSample(transaction, APP));
    const absent = describeBytes(LOOSE);
    assert.equal(await store.has(absent), false);
    assert.equal(await store.has({ ...APP.root, size: APP.root.size + 1 }), false);
    await rejectsWith('NOT_FOUND', store.open(absent));
    await rejectsWith('NOT_FOUND', store.resolve('app:1'));
  },
  'reading ends with the reason of its signal': async (store) => {
    await store.update((transaction) => addSample(transaction, APP));
    const signal = AbortSignal.abort(ENOUGH);
    await assert.rejects(store.has(APP.root, { signal }), ENOUGH);
    await assert.rejects(store.open(APP.root, { signal }), ENOUGH);
  },
  'it finds what refers to an image': async (store) => {
    const signature = sampleReferrer(APP.root);
    await store.update(async (transaction) => {
      await addSample(transaction, APP, ['app:1']);
      await addSample(transaction, signature);
    });
    const found = await store.referrers(APP.root);
    assert.deepEqual(
      found.map(({ digest }) => digest),
      [signature.root.digest],
    );
    assert.deepEqual(await store.referrers(TOOLS.root), []);
  },
  'it lists what has referrers, or says nothing': async (store) => {
    await store.update(async (transaction) => {
      await addSample(transaction, APP, ['app:1']);
      await addSample(transaction, sampleReferrer(APP.root));
    });
    const subjects = await store.subjects?.();
    assert.ok(subjects === undefined || subjects.has(APP.root.digest));
  },
};

const CHANGING: Promises = {
  'it keeps nothing that no added image leads to': async (store) => {
    await store.update(async (transaction) => {
      await transaction.put(describeBytes(LOOSE), chunksOf(LOOSE));
      const writer = await transaction.begin();
      await writer.write(LOOSE);
      await writer.commit();
      await addSample(transaction, APP, ['app:1']);
    });
    assert.equal(await store.has(describeBytes(LOOSE)), false);
    assert.deepEqual(await holds(store, APP.layers), [true, true]);
  },
  'an update sees what is stored and what it has written, others only what is stored': async (store) => {
    await store.update((transaction) => addSample(transaction, APP, ['app:1']));
    await store.update(async (transaction) => {
      await addSample(transaction, TOOLS, ['tools:1']);
      for (const [descriptor] of [...APP.blobs, ...TOOLS.blobs])
        assert.equal(await transaction.has(descriptor), true);
      assert.equal(await store.has(TOOLS.root), false);
      assert.deepEqual(await listed(store), [[['app:1'], APP.root.digest]]);
    });
    assert.equal((await listed(store)).length, 2);
  },
  'a name moves to the image that is added under it, for the same platform': async (store) => {
    await store.update(async (transaction) => {
      await addSample(transaction, forPlatform(APP, AMD64), ['app:1', 'app:2']);
      await addSample(transaction, forPlatform(ARM, { ...AMD64, architecture: 'arm64' }), ['app:1']);
    });
    assert.equal((await store.resolve('app:1')).length, 2);
    await store.update((transaction) => addSample(transaction, forPlatform(TOOLS, AMD64), ['app:1']));
    assert.deepEqual(await listed(store), [
      [['app:2'], APP.root.digest],
      [['app:1'], ARM.root.digest],
      [['app:1'], TOOLS.root.digest],
    ]);
  },
  'it removes names and images': async (store) => {
    await store.update(async (transaction) => {
      await addSample(transaction, APP, ['app:1', 'app:2']);
      await addSample(transaction, TOOLS);
    });
    await store.update(async (transaction) => {
      transaction.remove('app:1');
      transaction.remove(TOOLS.root.digest);
    });
    assert.deepEqual(await listed(store), [[['app:2'], APP.root.digest]]);
    for (const absent of ['app:1', TOOLS.root.digest])
      await rejectsWith(
        'NOT_FOUND',
        store.update(async (transaction) => transaction.remove(absent)),
      );
  },
  'it takes an image without the layers that it says are omitted': async (store) => {
    const stated = { 'dev.drayage.omitted-layers': '1' };
    await store.update((transaction) =>
      addSample(transaction, APP, ['app:1'], stated, APP.layers.slice(0, 1)),
    );
    assert.deepEqual(await holds(store, APP.layers), [false, true]);
    assert.equal((await store.images())[0]?.annotations['dev.drayage.omitted-layers'], '1');
  },
  'it takes all that an index leads to': async (store) => {
    const index = sampleIndex([APP, ARM]);
    await store.update((transaction) => addSample(transaction, index, ['app:1']));
    const held = await holds(
      store,
      index.blobs.map(([descriptor]) => descriptor),
    );
    assert.equal(held.includes(false), false);
  },
};

const REFUSING: Promises = {
  'it refuses an image that lacks a layer, and is as it was': (store) => assertComplete(store, APP.layers[1]),
  'it refuses an image that lacks its config, and is as it was': (store) => assertComplete(store, APP.config),
  'it refuses an image that lacks its manifest, and is as it was': (store) => assertComplete(store, APP.root),
  'it takes bytes only as what they are said to be': async (store) => {
    const [said, other] = [describeBytes(LOOSE), LOOSE.toReversed()];
    await store.update(async (transaction) => {
      await rejectsWith('DIGEST_MISMATCH', transaction.put(said, chunksOf(other)));
      await rejectsWith('SIZE_MISMATCH', transaction.put(said, chunksOf(LOOSE.subarray(1))));
      const writer = await transaction.begin();
      await writer.write(other);
      await rejectsWith('DIGEST_MISMATCH', writer.commit(said));
      assert.equal(await transaction.has(said), false);
    });
  },
  'it is as it was if the work fails': async (store) => {
    await store.update((transaction) => addSample(transaction, APP, ['app:1']));
    const update = store.update(async (transaction) => {
      await addSample(transaction, TOOLS, ['app:1']);
      throw ENOUGH;
    });
    await assert.rejects(update, ENOUGH);
    assert.deepEqual(await listed(store), [[['app:1'], APP.root.digest]]);
    assert.equal(await store.has(TOOLS.root), false);
  },
  'it refuses an invalid name at once': async (store) => {
    const update = store.update(async (transaction) => transaction.add(APP.root, ['Not A Name'], {}));
    await rejectsWith('USAGE', update);
  },
};

const ENDING: Promises = {
  'a transaction that is over takes nothing more': async (store) => {
    const kept: StoreTransaction[] = [];
    await store.update(async (transaction) => void kept.push(transaction));
    const [transaction] = kept;
    assert.ok(transaction);
    await rejectsWith('USAGE', transaction.has(APP.root));
    await rejectsWith('USAGE', transaction.put(describeBytes(LOOSE), chunksOf(LOOSE)));
    assert.throws(
      () => transaction.add(APP.root, [], {}),
      (error) => isDrayageError(error, 'USAGE'),
    );
  },
  'an update ends with the reason of its signal, and changes nothing': async (store) => {
    const stop = new AbortController();
    const update = store.update(
      async (transaction) => {
        await addSample(transaction, APP, ['app:1']);
        stop.abort(ENOUGH);
      },
      { signal: stop.signal },
    );
    await assert.rejects(update, ENOUGH);
    await assert.rejects(
      store.update(async () => {}, { signal: stop.signal }),
      ENOUGH,
    );
    assert.deepEqual(await store.images(), []);
  },
  'it loses none of several updates at a time: each succeeds, or says that the store was locked': async (
    store,
  ) => {
    const images = [APP, TOOLS, ARM];
    const results = await Promise.allSettled(
      images.map((image, i) => store.update((transaction) => addSample(transaction, image, [`image:${i}`]))),
    );
    const done = images.filter((_, i) => results[i]?.status === 'fulfilled');
    assert.ok(done.length > 0);
    for (const result of results)
      if (result.status === 'rejected') assert.ok(isDrayageError(result.reason, 'LOCKED'));
    const stored = (await store.images()).map(({ root }) => root.digest);
    assert.deepEqual(new Set(stored), new Set(done.map(({ root }) => root.digest)));
  },
};

async function assertComplete(store: ImageStore, absent: Descriptor | undefined): Promise<void> {
  assert.ok(absent);
  await store.update((transaction) => addSample(transaction, TOOLS, ['tools:1']));
  const update = store.update((transaction) => addSample(transaction, APP, ['app:1'], {}, [absent]));
  await rejectsWith('INCOMPLETE', update);
  assert.deepEqual(await listed(store), [[['tools:1'], TOOLS.root.digest]]);
}

/** The images of a store: the names, and the digest of the root. */
async function listed(store: ImageStore): Promise<[string[], Digest][]> {
  return (await store.images()).map(({ names, root }) => [names, root.digest]);
}

async function resolved(store: ImageStore, reference: string): Promise<Digest[]> {
  return (await store.resolve(reference)).map(({ root }) => root.digest);
}

async function holds(store: ImageStore, blobs: readonly Descriptor[]): Promise<boolean[]> {
  return Promise.all(blobs.map((blob) => store.has(blob)));
}

function forPlatform(image: SampleImage, platform: Descriptor['platform']): SampleImage {
  return { ...image, root: { ...image.root, platform } };
}

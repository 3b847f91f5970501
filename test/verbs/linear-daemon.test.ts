import { describe, expect, test } from 'vitest';
import { Budget, withBudget } from '../../src/budget.ts';
import type { DockerDaemon } from '../../src/docker/daemon.ts';
import { connectDocker } from '../../src/docker/daemon.ts';
import { Layout } from '../../src/layout/layout.ts';
import { load } from '../../src/verbs/load/load.ts';
import { save } from '../../src/verbs/save/save.ts';
import { unload } from '../../src/verbs/unload.ts';
import { makeCargo } from '../docker/cargo.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { tempFolderInMemory } from '../layout/folders.ts';
import { once } from '../../src/stream/tap.ts';
import type { FakeOptions } from '../support/fake-daemon.ts';
import { FakeContentStore } from '../support/fake-content-store.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';

const cargos = (n: number): TestCargo[] =>
  Array.from({ length: n }, (_, i) => makeCargo({ layers: ['base', `app ${i}`] }));

async function layoutOf(images: readonly TestCargo[]): Promise<Layout> {
  const layout = await Layout.create(tempFolderInMemory());
  await layout.update(async (content) => {
    for (const [i, { root, source }] of images.entries()) {
      for (const [digest, bytes] of source.blobs)
        await content.put({ mediaType: 'application/octet-stream', digest, size: bytes.length }, once(bytes));
      content.add(root, [`app:${i}`], {});
    }
  });
  return layout;
}

/** What work reads, for ten and for twenty. */
async function expectLinear(costOf: (n: number) => Promise<number>): Promise<void> {
  const [few, many] = [await costOf(10), await costOf(20)];
  expect(few).toBeGreaterThan(0);
  expect(many).toBeLessThanOrEqual(2 * few + 10);
}

test.each(['by name', 'by config'])(
  'a save of twice as many images, %s, into a layout that holds them reads at most twice as many documents',
  async (how) => {
    await expectLinear(async (n) => {
      const [all, daemon] = [cargos(n), new MemoryEndpoint()];
      for (const [i, { root, source }] of all.entries()) await daemon.hold(root, source, [`app:${i}`]);
      const { path } = await layoutOf(all);
      const images = all.map(({ configDigest }, i) => (how === 'by name' ? `app:${i}` : configDigest));
      const budget = new Budget();
      await withBudget(async () => save({ from: daemon, to: await Layout.open(path), images }), budget);
      expect(daemon.saves).toEqual([]);
      return budget.spent.documents;
    });
  },
);

describe.each<NonNullable<FakeOptions['kind']>>(['graph', 'containerd', 'podman'])(
  'with twice as many images in %s, at most twice as many requests are for',
  (kind) => {
    /** The requests of work, with n images in the daemon. */
    const requests = async (n: number, work: (daemon: DockerDaemon) => Promise<unknown>): Promise<number> => {
      const fake = await FakeDaemon.start({ kind });
      await using daemon = await connectDocker({ host: fake.host });
      const from = [await layoutOf(cargos(n))];
      await load({ from, to: daemon, names: 'unique', lease: { job: '7', now: new Date(0), secret: 's' } });
      fake.seen.splice(0);
      await work(daemon);
      return fake.seen.length;
    };

    test('a load of another one', async () => {
      const from = [await layoutOf([makeCargo({ layers: ['base', 'another'] })])];
      await expectLinear((n) => requests(n, async (to) => load({ from, to })));
    });

    test('an unload of all', async () => {
      await expectLinear((n) =>
        requests(n, async (from) => {
          const { removed } = await unload({ from, leases: { job: '7', secret: 's' } });
          expect(removed).toHaveLength(n);
        }),
      );
    });

    test('a search for a shortened ID, and for an absent name', async () => {
      await expectLinear((n) =>
        requests(n, async (daemon) => {
          const [image] = await daemon.list();
          await daemon.inspect(image?.id.slice(0, 30) ?? '');
          await expect(daemon.inspect('absent:1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
        }),
      );
    });
  },
);

/** How many requests find the last of n images of a containerd store by its config. */
async function requestsByConfig(n: number): Promise<number> {
  const fake = await FakeDaemon.start({ kind: 'containerd' });
  const all = cargos(n);
  // Its routes serve the store.
  void new FakeContentStore(
    fake,
    all.map((cargo, i): [TestCargo, string] => [cargo, `app:${i}`]),
  );
  await using daemon = await connectDocker({ host: fake.host });
  fake.seen.splice(0);
  expect((await daemon.inspect(all.at(-1)?.configDigest ?? '')).id).toBe(all.at(-1)?.root.digest);
  return fake.seen.length;
}

test('images of a containerd store are searched for a config with requests of fifty manifests each', async () => {
  const few = await requestsByConfig(50);
  // A read of the store takes three requests.
  expect([(await requestsByConfig(100)) - few, (await requestsByConfig(200)) - few]).toEqual([3, 9]);
});

import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DrayageError } from '../../src/errors.ts';
import { Layout } from '../../src/layout/layout.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import { Registries } from '../../src/registry/registries.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';
import type { CopyOptions } from '../../src/verbs/copy.ts';
import { copy } from '../../src/verbs/copy.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { leasesOf } from '../../src/verbs/load/lease.ts';
import { makeCargo } from '../docker/cargo.ts';
import { always, PLANTED } from '../registry/registries.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { fixtureArchive } from '../support/fixtures.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { writeCargo } from '../support/write-cargo.ts';

const CARGO = makeCargo({ layers: ['base', 'app'], compress: false });
const FOREIGN = makeCargo({ layers: ['base', 'foreign'] });
const APP = sampleImage(['base', 'app']);
const OTHER = sampleImage(['other']);
const ARM = sampleImage(['base', 'arm'], 'arm64');
const BOTH = sampleIndex([forPlatform(APP, 'amd64'), forPlatform(ARM, 'arm64')]);
/** What is copied: `app:1`, and nothing else. */
const SOURCES = {
  layout: async () => ({ from: await cargoLayout() }),
  daemon: async () => ({ from: await daemonWith('app:1'), images: ['app:1'] }),
  'daemon, through a store': async () => ({
    from: await daemonWith('app:1'),
    images: ['app:1'],
    through: new MemoryStore(),
  }),
  'archive, through a store': async () => ({
    from: { archive: await exportArchive({ from: [await cargoLayout()] }) },
    through: new MemoryStore(),
  }),
} satisfies Record<string, () => Promise<Omit<CopyOptions, 'to'>>>;

function forPlatform(image: typeof APP, architecture: string): typeof APP {
  return { ...image, root: { ...image.root, platform: { os: 'linux', architecture } } };
}

async function cargoLayout(): Promise<Layout> {
  const path = join(await temporaryFolder(), 'layout');
  await writeCargo(path, CARGO, 'app:1');
  return Layout.open(path);
}

async function daemonWith(name: string): Promise<MemoryEndpoint> {
  const daemon = new MemoryEndpoint();
  await daemon.hold(CARGO.root, CARGO.source, [name]);
  return daemon;
}

async function layoutWith(...images: [typeof APP, string][]): Promise<Layout> {
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update(async (transaction) => {
    for (const [image, name] of images) await addSample(transaction, image, [name]);
  });
  return layout;
}

async function registry(): Promise<{ server: FakeRegistry; registries: Registries }> {
  const server = await FakeRegistry.start();
  const registries = new Registries(async () => ({
    credentials: always(PLANTED),
    retry: { delay: async () => {} },
  }));
  onTestFinished(async () => {
    await registries[Symbol.asyncDispose]();
    await server.stop();
  });
  return { server, registries };
}

describe('a copy', () => {
  test('from a daemon to a store', async () => {
    const to = new MemoryStore();
    const { images } = await copy({ from: await daemonWith('app:1'), images: ['app:1'], to });
    expect(images).toMatchObject([{ name: 'app:1', id: CARGO.configDigest, refs: ['app:1'] }]);
    expect((await to.resolve('app:1'))[0].root.digest).toBe(images[0]?.digest);
  });

  test('from an archive to a daemon, through a store', async () => {
    const [to, through] = [new MemoryEndpoint(), new MemoryStore()];
    const { images } = await copy({ from: fixtureArchive('demo.tar'), to, through });
    expect(images.length).toBeGreaterThan(0);
    for (const { id, refs } of images) expect(await to.inspect(refs[0] ?? '')).toMatchObject({ id });
  });

  test('takes on only what it saved, whatever else the store on the way has', async () => {
    const [to, through] = [new MemoryEndpoint(), new MemoryStore()];
    await through.update((transaction) => addSample(transaction, OTHER, ['stale:1']));
    await copy({ from: fixtureArchive('demo.tar'), to, through });
    expect(to.loads.flatMap(({ names }) => names)).not.toContain('stale:1');
    expect(to.loads.map(({ root }) => root.digest)).not.toContain(OTHER.root.digest);
  });

  test('from daemon to daemon, through a store', async () => {
    const to = new MemoryEndpoint();
    const from = await daemonWith('app:1');
    const { images } = await copy({ from, images: ['app:1'], to, through: new MemoryStore() });
    expect(await to.inspect('app:1')).toMatchObject({ id: CARGO.configDigest });
    expect(images).toMatchObject([{ name: 'app:1', id: CARGO.configDigest }]);
  });

  test('from a daemon or an archive to a registry needs a store on the way', async () => {
    const { server, registries } = await registry();
    const to = { registries, tags: [`${server.host}/group/app:1`] };
    for (const from of [await daemonWith('app:1'), fixtureArchive('demo.tar')]) {
      const copied = copy({ from, images: ['app:1'], to });
      await expect(copied).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringContaining('store'),
      });
    }
    expect(server.requests()).toEqual([]);
  });

  test('from store to store keeps bytes, and what refers to the image', async () => {
    const to = new MemoryStore();
    const from = await layoutWith([APP, 'app:1']);
    await from.update((transaction) => addSample(transaction, sampleReferrer(APP.root)));
    const { images } = await copy({ from, to });
    expect(images).toMatchObject([{ digest: APP.root.digest, refs: ['app:1'] }]);
    expect(await to.referrers(APP.root)).toHaveLength(1);
  });

  test('asks the policy before the first layer is read', async () => {
    const to = new MemoryStore();
    const policy = {
      choose: () => {
        throw new DrayageError('POLICY', 'not this one');
      },
      check: () => {},
    };
    const copied = copy({ from: await layoutWith([APP, 'app:1']), to, policy });
    await expect(copied).rejects.toMatchObject({ code: 'POLICY' });
    expect(await to.images()).toEqual([]);
  });

  test('to a registry and back', async () => {
    const { server, registries } = await registry();
    const ref = `${server.host}/group/app:1`;
    const from = await layoutWith([APP, 'app:1'], [OTHER, 'other:1']);
    const pushed = await copy({ from, images: ['app:1'], to: { registries, tags: [ref] } });
    expect(pushed.images).toEqual([
      { name: 'app:1', id: APP.config.digest, digest: APP.root.digest, refs: [ref] },
    ]);
    const to = new MemoryStore();
    const pulled = await copy({ from: await registries.repository(ref), images: [ref], to });
    expect(pulled.images).toMatchObject([{ digest: APP.root.digest }]);
    for (const [blob] of APP.blobs) expect(await to.has(blob)).toBe(true);
  });

  test('to a registry, each image under tags of its own', async () => {
    const { server, registries } = await registry();
    const from = await layoutWith([APP, 'app:1'], [OTHER, 'other:1']);
    const tags = (name: string): string[] => [`${server.host}/group/${name}`];
    const { images } = await copy({ from, to: { registries, tags } });
    expect(images.map(({ refs }) => refs)).toEqual([
      [`${server.host}/group/app:1`],
      [`${server.host}/group/other:1`],
    ]);
    const both = copy({ from, images: ['app:1', 'other:1'], to: { registries, tags: tags('x:1') } });
    await expect(both).rejects.toMatchObject({ code: 'AMBIGUOUS' });
  });

  describe.each(Object.entries(SOURCES))('out of a %s', (_, source) => {
    test('into a daemon that others share: held by the job, under its unique tag only', async () => {
      const to = new MemoryEndpoint();
      await to.hold(FOREIGN.root, FOREIGN.source, ['app:1']);
      const lease = { job: '5', now: new Date(1_700_000_000_000) };
      const { images } = await copy({ ...(await source()), to, names: 'unique', tags: ['test:2'], lease });
      const [{ id, refs } = { id: '', refs: [''] }] = images;
      expect(refs).toEqual([expect.stringMatching(/^app:drayage-[0-9a-f]{12}$/)]);
      const listed = await to.list();
      expect(listed.find((image) => image.id === FOREIGN.configDigest)?.names).toEqual(['app:1']);
      const copied = listed.filter((image) => image.id === id);
      expect(copied.flatMap(({ names }) => names)).toEqual(expect.arrayContaining([...refs, 'test:2']));
      expect(leasesOf(copied).map(({ job, name }) => [job, name])).toEqual([
        ['5', refs[0]],
        ['5', 'test:2'],
      ]);
    });
  });

  test.each<[keyof CopyOptions, Partial<CopyOptions>]>([
    ['names', { names: 'unique' }],
    ['tags', { tags: ['test:2'] }],
    ['lease', { lease: { job: '5', now: new Date(0) } }],
  ])('into anything but a daemon refuses %s', async (name, option) => {
    const { server, registries } = await registry();
    const store = new MemoryStore();
    const from = await layoutWith([APP, 'app:1']);
    for (const to of [store, { registries, tags: [`${server.host}/group/app:1`] }])
      await expect(copy({ from, to, ...option })).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringContaining(name),
      });
    expect([await store.images(), server.requests()]).toEqual([[], []]);
  });

  test('of one platform takes only its image: into a store, a daemon and a registry', async () => {
    const { server, registries } = await registry();
    const [ref, arm] = ['app:1', 'app:arm'].map((name) => `${server.host}/group/${name}`) as [string, string];
    const layout = await layoutWith([BOTH, 'app:1']);
    await copy({ from: layout, to: { registries, tags: [ref] } });
    const [from, store, daemon] = [await registries.repository(ref), new MemoryStore(), new MemoryEndpoint()];
    const chosen = { from, images: [ref], platform: { os: 'linux', architecture: 'arm64' } };
    const results = [
      await copy({ ...chosen, to: store }),
      await copy({ ...chosen, to: daemon }),
      await copy({ ...chosen, to: { registries, tags: [arm] } }),
    ];
    for (const { images } of results) expect(images).toMatchObject([{ id: ARM.config.digest }]);
    expect(await store.images()).toMatchObject([{ root: { digest: ARM.root.digest } }]);
    for (const blob of APP.layers.slice(1)) expect(await store.has(blob)).toBe(false);
    expect(daemon.loads.map(({ root }) => root.digest)).toEqual([ARM.root.digest]);
    expect((await from.resolve(arm))[0].root.digest).toBe(ARM.root.digest);
    expect((await from.resolve(ref))[0].root.digest).toBe(BOTH.root.digest);
  });
});

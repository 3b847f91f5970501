import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { provenanceOfBuild } from '../../src/attest/statement.ts';
import { readBuild } from '../../src/ci/gitlab/build.ts';
import type { DockerDaemon } from '../../src/docker/daemon.ts';
import { connectDocker } from '../../src/docker/daemon.ts';
import { Layout } from '../../src/layout/layout.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { LayerStatus, OnProgress, ProgressEvent, ProgressPhase } from '../../src/progress.ts';
import { Registries } from '../../src/registry/registries.ts';
import { drain } from '../../src/stream/drain.ts';
import { addSample, imageOf, sampleImage, sampleReferrer } from '../../src/testing/sample-images.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { fetchImages } from '../../src/verbs/fetch.ts';
import { load } from '../../src/verbs/load/load.ts';
import { merge } from '../../src/verbs/merge.ts';
import { promote } from '../../src/verbs/promote/promote.ts';
import type { SaveOptions } from '../../src/verbs/save/options.ts';
import { save } from '../../src/verbs/save/save.ts';
import { sign } from '../../src/verbs/sign.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo, makeIndexCargo } from '../docker/cargo.ts';
import { always, PLANTED } from '../registry/registries.ts';
import { FakeContentStore } from '../support/fake-content-store.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Two images that share a layer, and a signature of one. */
const IMAGES = [sampleImage(['base', 'app']), sampleImage(['base', 'tools'])] as const;

async function layout(): Promise<Layout> {
  const made = await Layout.create(join(await temporaryFolder(), 'layout'));
  await made.update(async (transaction) => {
    for (const [i, image] of IMAGES.entries()) await addSample(transaction, image, [`image:${i}`]);
    const [image] = IMAGES;
    await addSample(transaction, sampleReferrer(image.root, 'signed'), []);
  });
  return made;
}

async function events(work: (onProgress: OnProgress) => Promise<unknown>): Promise<ProgressEvent[]> {
  const told: ProgressEvent[] = [];
  await work((event) => told.push(event));
  return told;
}

function only<K extends ProgressEvent['kind']>(
  told: readonly ProgressEvent[],
  kind: K,
): Extract<ProgressEvent, { kind: K }>[] {
  return told.filter((event): event is Extract<ProgressEvent, { kind: K }> => event.kind === kind);
}

const phasesOf = (told: readonly ProgressEvent[]): ProgressPhase[] =>
  only(told, 'phase').map(({ phase }) => phase);

async function daemonOf(kind: 'graph' | 'containerd' | 'podman') {
  const fake = await FakeDaemon.start({ kind });
  return connectDocker({ host: fake.host });
}

function promoting(from: Layout, server: FakeRegistry, onProgress: OnProgress) {
  const registries = new Registries(async () => ({
    credentials: always(PLANTED),
    retry: { delay: async () => {} },
  }));
  onTestFinished(() => registries[Symbol.asyncDispose]());
  const promotions = [0, 1].map((i) => ({ image: `image:${i}`, to: [`${server.host}/g/image:${i}`] }));
  return promote({ from: [from], registries, promotions, onProgress });
}

describe.each<[string, ProgressPhase[], (from: Layout, onProgress: OnProgress) => Promise<unknown>]>([
  [
    'fetch',
    ['reading'],
    (from, onProgress) => fetchImages({ from: [from], to: new MemoryStore(), onProgress }),
  ],
  [
    'merge',
    ['reading', 'verifying', 'reading', 'verifying'],
    (from, onProgress) => merge({ from: [from], to: new MemoryStore(), onProgress }),
  ],
  [
    'save from a layout',
    ['reading', 'verifying', 'reading', 'verifying'],
    (from, onProgress) => save({ from, to: new MemoryStore(), onProgress }),
  ],
  [
    'save into the same layout',
    ['verifying'],
    (from, onProgress) => save({ from, images: ['image:0', 'image:1'], to: from, onProgress }),
  ],
  [
    'load into docker',
    ['sending', 'verifying', 'sending', 'verifying'],
    async (from, onProgress) => load({ from: [from], to: await daemonOf('graph'), onProgress }),
  ],
  [
    'load into docker with containerd',
    ['sending', 'verifying', 'sending', 'verifying'],
    async (from, onProgress) => load({ from: [from], to: await daemonOf('containerd'), onProgress }),
  ],
  [
    'load into podman',
    ['sending', 'verifying', 'sending', 'verifying'],
    async (from, onProgress) => load({ from: [from], to: await daemonOf('podman'), onProgress }),
  ],
  [
    'export in the form of docker',
    ['sending'],
    async (from, onProgress) => drain(await exportArchive({ from: [from], onProgress })),
  ],
  [
    'export as a layout',
    ['sending'],
    async (from, onProgress) => drain(await exportArchive({ from: [from], format: 'oci', onProgress })),
  ],
  [
    'promote',
    ['verifying', 'sending'],
    async (from, onProgress) => {
      const server = await FakeRegistry.start();
      onTestFinished(() => server.stop());
      await promoting(from, server, onProgress);
    },
  ],
  ['verify', ['verifying'], (layoutOf, onProgress) => verify({ layout: layoutOf, onProgress })],
  [
    'sign',
    ['verifying'],
    (layoutOf, onProgress) =>
      sign({
        layout: layoutOf,
        images: ['image:0', 'image:1'],
        statement: provenanceOfBuild(readBuild(SIGNING_JOB)),
        sign: async (statement) => statement,
        onProgress,
      }),
  ],
])('%s', (_verb, phases, run) => {
  test('reports totals first, then layers that add up to them', async () => {
    const from = await layout();
    const told = await events((onProgress) => run(from, onProgress));
    const [start, ...others] = only(told, 'start');
    expect(others).toEqual([]);
    const layers = only(told, 'layer');
    expect(start).toEqual({
      kind: 'start',
      images: 2,
      layers: layers.length,
      size: layers.reduce((sum, { size }) => sum + size, 0),
    });
    expect(layers.length).toBeGreaterThanOrEqual(3);
    const firstWork = told.findIndex(({ kind }) => kind === 'layer' || kind === 'bytes');
    expect(told.findIndex(({ kind }) => kind === 'start')).toBeLessThan(firstWork);
  });

  test('reports its phases, and bytes of a blob that are no more than its size', async () => {
    const from = await layout();
    const told = await events((onProgress) => run(from, onProgress));
    expect(phasesOf(told)).toEqual(phases);
    const sizes = new Map(only(told, 'layer').map(({ digest, size }) => [digest, size]));
    for (const [digest, size] of sizes) {
      const moved = only(told, 'bytes').filter((event) => event.digest === digest);
      expect(moved.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(size);
    }
  });
});

test('a layer that two images compress differently counts once in an archive of docker', async () => {
  const content = Buffer.from('layer base');
  const diffId = digestOf(content);
  const from = await Layout.create(join(await temporaryFolder(), 'layout'));
  await from.update(async (transaction) => {
    for (const level of [0, 9]) {
      const image = imageOf([[diffId, gzipSync(content, { level })]], level === 0 ? 'amd64' : 'arm64');
      await addSample(transaction, image, [`image:${level}`]);
    }
  });
  const told = await events(async (onProgress) => drain(await exportArchive({ from: [from], onProgress })));
  const layers = only(told, 'layer');
  expect(layers).toHaveLength(1);
  expect(only(told, 'start')).toMatchObject([{ images: 2, layers: 1, size: layers[0]?.size }]);
});

test('a load reports layers that the daemon has as reused, before it sends the others', async () => {
  const [from, daemon] = [await layout(), await daemonOf('graph')];
  await load({ from: [from], images: ['image:0'], to: daemon });
  const told = await events((onProgress) =>
    load({ from: [from], images: ['image:1'], to: daemon, onProgress }),
  );
  expect(only(told, 'layer').map(({ status }) => status)).toEqual(['reused', 'written']);
});

test('a daemon that packs an archive first is told from one that sends at once', async () => {
  const phases: ProgressPhase[][] = [];
  const image = makeCargo({ layers: ['base', 'app'] });
  for (const spools of [true, false]) {
    const daemon = Object.assign(new MemoryEndpoint(), { spools });
    await daemon.hold(image.root, image.source, ['app:1']);
    const told = await events((onProgress) =>
      save({ from: daemon, images: ['app:1'], to: new MemoryStore(), onProgress }),
    );
    expect(only(told, 'start')).toMatchObject([{ images: 1, size: null }]);
    phases.push(phasesOf(told));
  }
  expect(phases).toEqual([['spooling', 'reading'], ['reading']]);
});

/** The number of layers that a start announces, and the statuses of those that come. */
function layersOf(told: readonly ProgressEvent[]) {
  const starts = only(told, 'start');
  return {
    starts: starts.map(({ layers }) => layers),
    told: only(told, 'layer').map(({ status }) => status),
  };
}

async function containerdDaemon(...images: [TestCargo, string][]): Promise<DockerDaemon> {
  const fake = await FakeDaemon.start({ kind: 'containerd' });
  const store = new FakeContentStore(fake, images);
  expect(store.blobs.size).toBeGreaterThan(0);
  return connectDocker({ host: fake.host });
}

describe('a save out of a daemon', () => {
  const [app, tools] = [makeCargo({ layers: ['base', 'app'] }), makeCargo({ layers: ['base', 'tools'] })];

  async function memoryDaemon(): Promise<MemoryEndpoint> {
    const daemon = new MemoryEndpoint();
    for (const [i, { root, source }] of [app, tools].entries())
      await daemon.hold(root, source, [`image:${i}`]);
    return daemon;
  }

  test.each<[string, () => Promise<SaveOptions['from']>, Partial<SaveOptions>, LayerStatus[]]>([
    ['one by one', memoryDaemon, {}, ['written', 'written', 'reused', 'written']],
    ['in one request', memoryDaemon, { oneRequest: true }, ['written', 'written', 'written', 'reused']],
    [
      'without what came before',
      async () => containerdDaemon([app, 'image:0'], [tools, 'image:1']),
      {},
      ['written', 'written', 'written', 'reused'],
    ],
  ])(
    'states how many layers there are, and reports each once in each image: %s',
    async (_, open, options, statuses) => {
      const [from, to] = [await open(), new MemoryStore()];
      const images = ['image:0', 'image:1'];
      const saved = async (): Promise<ProgressEvent[]> =>
        events((onProgress) => save({ from, images, to, ...options, onProgress }));
      expect(layersOf(await saved())).toEqual({ starts: [4], told: statuses });
      expect(layersOf(await saved())).toEqual({
        starts: [4],
        told: Array.from({ length: 4 }, () => 'reused'),
      });
    },
  );

  test('of one platform states no number, since the daemon does not', async () => {
    const platform = { os: 'linux', architecture: 'amd64' };
    const from = await memoryDaemon();
    const told = await events((onProgress) =>
      save({ from, images: ['image:0'], platform, to: new MemoryStore(), onProgress }),
    );
    expect(layersOf(told)).toEqual({ starts: [null], told: ['written', 'written'] });
  });

  test('that brings more platforms than the daemon described takes its number back', async () => {
    const arm = makeCargo({ layers: ['base', 'arm'], architecture: 'arm64' });
    const both = makeIndexCargo([app, arm], ['amd64', 'arm64']);
    const from = await containerdDaemon([both, 'both:1']);
    const told = await events((onProgress) =>
      save({ from, images: ['both:1'], to: new MemoryStore(), onProgress }),
    );
    expect(layersOf(told).starts).toEqual([2, null]);
    expect(new Set(only(told, 'layer').map(({ digest }) => digest)).size).toBe(3);
  });
});

import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ContentSource } from '../../src/content/source.ts';
import type { DockerDaemon } from '../../src/docker/daemon.ts';
import { connectDocker } from '../../src/docker/daemon.ts';
import { Layout } from '../../src/layout/layout.ts';
import { load } from '../../src/verbs/load/load.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { save } from '../../src/verbs/save/save.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo } from '../docker/cargo.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { TestDaemon } from './support/daemons.ts';
import { DAEMON_KINDS, skipReason, startDaemon } from './support/daemons.ts';
import {
  FaultyProxy,
  cutBetweenEntries,
  truncated,
  withBitRot,
  withoutLargest,
} from './support/faulty-proxy.ts';
import { buildTinyImage } from './support/images.ts';

const BASE = [0, 1, 2, 3, 4].map(() => randomBytes(300_000));
const STORE_FOLDERS = [
  'image/overlay2/layerdb/sha256',
  'containerd/daemon/io.containerd.content.v1.content/blobs/sha256',
];

/** A source that writes down which layers are opened. */
function recording({ source, layers }: TestCargo): { source: ContentSource; opened: Set<Digest> } {
  const opened = new Set<Digest>();
  const digests = new Set(layers.map(({ digest }) => digest));
  return {
    opened,
    source: {
      has: async (descriptor, options) => source.has(descriptor, options),
      open: async (descriptor, options) => {
        if (digests.has(descriptor.digest)) opened.add(descriptor.digest);
        return source.open(descriptor, options);
      },
    },
  };
}

describe.each(DAEMON_KINDS)('a load into a real %s', (kind) => {
  const skip = skipReason(kind) !== undefined;
  let real: TestDaemon;
  let daemon: DockerDaemon;
  let proxy: FaultyProxy;
  let throughProxy: DockerDaemon;

  beforeAll(async () => {
    if (skip) return;
    real = await startDaemon(kind);
    daemon = await connectDocker({ host: real.host });
    proxy = await FaultyProxy.start(real.socket);
    throughProxy = await connectDocker({ host: proxy.host });
  });
  afterEach(async () => {
    if (skip) return;
    for (const { id } of await daemon.list()) await daemon.remove(id, { force: true });
  });
  afterAll(async () => {
    await throughProxy?.close();
    await proxy?.[Symbol.asyncDispose]();
    await daemon?.close();
    await real?.stop();
  });

  /** All that the daemon holds: images, their names, and the layers or blobs where they can be seen. */
  async function holdings(): Promise<unknown> {
    const images = (await daemon.list()).map(({ id, names }) => `${id} ${names.toSorted().join(' ')}`);
    const files = await Promise.all(
      STORE_FOLDERS.map(async (folder) => readdir(join(real.dataRoot, folder)).catch(() => [])),
    );
    return { images: images.toSorted(), files: files.flat().toSorted() };
  }

  test.skipIf(skip)('sends only the layers that are missing, and reads no other', async () => {
    const base = makeCargo({ layers: [...BASE, randomBytes(200_000), randomBytes(200_000)] });
    const cargo = makeCargo({ layers: [...BASE, randomBytes(250_000), randomBytes(260_000)] });
    await daemon.load(base.root, base.source, ['base:1']);
    const { source, opened } = recording(cargo);
    const result = await daemon.load(cargo.root, source, ['app:unique', 'app:1']);
    const missing = cargo.layers.slice(5).reduce((sum, { size }) => sum + size, 0);
    console.log(`${kind}: ${result.bytesSent} bytes sent for ${missing} bytes of missing layers`);
    expect(result).toMatchObject({ status: 'loaded', layersSent: 2, layersPresent: 5, moved: [] });
    expect(result.bytesSent).toBeLessThan(missing + 65_536);
    expect([...opened].toSorted()).toEqual(
      cargo.layers
        .slice(5)
        .map(({ digest }) => digest)
        .toSorted(),
    );
    opened.clear();
    const again = await daemon.load(cargo.root, source, ['app:unique', 'app:1']);
    expect(again).toMatchObject({ status: 'present', layersSent: 0, layersPresent: 7 });
    expect(again.bytesSent).toBeLessThan(32_768);
    expect(opened.size).toBe(0);
    expect((await daemon.inspect('app:1')).diffIds).toEqual(cargo.diffIds);
    const names = (await daemon.list()).flatMap((image) => image.names);
    expect(names.toSorted()).toEqual(['app:1', 'app:unique', 'base:1']);
  });

  test.skipIf(skip)('sends everything where that is asked for', async () => {
    const cargo = makeCargo({ layers: BASE.slice(0, 2) });
    await daemon.load(cargo.root, cargo.source, ['app:1']);
    const result = await daemon.load(cargo.root, cargo.source, ['app:1'], { full: true });
    expect(result).toMatchObject({ status: 'loaded', layersSent: 2, layersPresent: 0 });
    expect(result.bytesSent).toBeGreaterThan(600_000);
  });

  test.skipIf(skip)('knows what is missing of an image that has a layer twice', async () => {
    const below = makeCargo({ layers: ['one', 'two'] });
    const cargo = makeCargo({ layers: ['one', 'two', 'one'] });
    await daemon.load(below.root, below.source, ['below:1']);
    const result = await daemon.load(cargo.root, cargo.source, ['twice:1']);
    expect(result.layersSent).toBe(daemon.kind === 'graph' ? 1 : 0);
    expect((await daemon.inspect('twice:1')).diffIds).toEqual(cargo.diffIds);
  });

  test.skipIf(skip)('sends everything once more where what it counted on goes meanwhile', async () => {
    const base = makeCargo({ layers: BASE.slice(0, 3) });
    const cargo = makeCargo({ layers: [...BASE.slice(0, 3), randomBytes(200_000)] });
    await daemon.load(base.root, base.source, ['base:1']);
    let removed: Promise<void> | undefined;
    const source: ContentSource = {
      has: async (descriptor, options) => cargo.source.has(descriptor, options),
      open: async (descriptor, options) => {
        if (descriptor.digest === cargo.layers[3]?.digest) await (removed ??= daemon.remove('base:1'));
        return cargo.source.open(descriptor, options);
      },
    };
    const result = await daemon.load(cargo.root, source, ['app:1']);
    // The question to a containerd store keeps the blobs that it was about.
    expect(result.layersSent).toBe(kind === 'docker-28-containerd' ? 1 : 4);
    expect((await daemon.inspect('app:1')).diffIds).toEqual(cargo.diffIds);
    expect(await daemon.list()).toMatchObject([{ names: ['app:1'] }]);
  });

  const faults = [
    ['a missing layer', withoutLargest],
    ['bit rot in a layer', withBitRot],
    ['a truncated archive', truncated],
    ['an archive that is cut between files', cutBetweenEntries],
  ] as const;

  test.skipIf(skip).each(faults)(
    'with %s is an error, and leaves everything as it was',
    async (_what, fault) => {
      const base = makeCargo({ layers: BASE.slice(0, 2) });
      const cargo = makeCargo({ layers: [...BASE.slice(0, 2), randomBytes(400_000)] });
      await daemon.load(base.root, base.source, ['base:1', 'app:1']);
      const before = await holdings();
      Object.assign(proxy, { fault, spoils: 9 });
      await expect(
        throughProxy.load(cargo.root, cargo.source, ['app:unique', 'app:1']),
      ).rejects.toMatchObject({ code: 'DAEMON' });
      // One archive of what is missing, and one of everything.
      expect(proxy.spoils).toBe(7);
      await expect.poll(holdings, { timeout: 30_000, interval: 500 }).toEqual(before);
      expect((await daemon.inspect('app:1')).names.toSorted()).toEqual(['app:1', 'base:1']);
    },
  );

  test.skipIf(skip)('of a layer that is not the one which the config names is an error, too', async () => {
    const base = makeCargo({ layers: BASE.slice(0, 2) });
    const cargo = makeCargo({ layers: [...BASE.slice(0, 2), randomBytes(400_000)], misnamed: true });
    await daemon.load(base.root, base.source, ['base:1', 'app:1']);
    const before = await holdings();
    await expect(daemon.load(cargo.root, cargo.source, ['app:unique', 'app:1'])).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      facts: { expected: cargo.diffIds[2] },
    });
    await expect.poll(holdings, { timeout: 30_000, interval: 500 }).toEqual(before);
  });

  test.skipIf(skip).each(faults)('with %s once is made good by sending everything', async (_what, fault) => {
    const base = makeCargo({ layers: BASE.slice(0, 2) });
    const cargo = makeCargo({ layers: [...BASE.slice(0, 2), randomBytes(400_000)] });
    await daemon.load(base.root, base.source, ['base:1', 'app:1']);
    Object.assign(proxy, { fault, spoils: 1 });
    const result = await throughProxy.load(cargo.root, cargo.source, ['app:unique', 'app:1']);
    expect(result).toMatchObject({ layersSent: 3, layersPresent: 0 });
    expect(result.moved.map(({ name }) => name)).toEqual(['app:1']);
    expect((await daemon.inspect('app:1')).diffIds).toEqual(cargo.diffIds);
    const names = (await daemon.list()).flatMap((image) => image.names);
    expect(names.toSorted()).toEqual(['app:1', 'app:unique', 'base:1']);
  });

  test.skipIf(skip)('is not deceived by a layer that is there in another compression only', async () => {
    const layers = [randomBytes(200_000), randomBytes(150_000)];
    const other = makeCargo({ layers, compress: false, architecture: 'arm64' });
    const cargo = makeCargo({ layers });
    await daemon.load(other.root, other.source, ['other:1']);
    const before = await holdings();
    Object.assign(proxy, { fault: withoutLargest, spoils: 9 });
    const outcome = throughProxy.load(cargo.root, cargo.source, ['app:1']);
    if (kind === 'docker-28-containerd') {
      await expect(outcome).rejects.toMatchObject({ code: 'DAEMON' });
      await expect.poll(holdings, { timeout: 30_000, interval: 500 }).toEqual(before);
    } else {
      expect(await outcome).toMatchObject({ layersSent: 0, layersPresent: 2 });
      expect((await daemon.inspect('app:1')).diffIds).toEqual(cargo.diffIds);
    }
  });

  test.skipIf(skip).each([0, 50, 150, 400])(
    'that is aborted %i ms after the last byte leaves no name of another kind',
    async (after) => {
      const base = makeCargo({ layers: BASE.slice(0, 1) });
      const cargo = makeCargo({ layers: [1, 2, 3, 4].map(() => randomBytes(2_000_000)), compress: false });
      await daemon.load(base.root, base.source, ['app:1']);
      const controller = new AbortController();
      let left = 8_000_000;
      const outcome = daemon.load(cargo.root, cargo.source, ['app:unique', 'app:1'], {
        signal: controller.signal,
        onProgress: (event) => {
          if (event.kind !== 'bytes') return;
          left -= event.bytes;
          if (left <= 0) setTimeout(() => controller.abort(new Error('enough')), after);
        },
      });
      await outcome.catch((error: unknown) => expect(String(error)).toContain('enough'));
      await sleep(kind === 'docker-20.10' || kind === 'podman' ? 3000 : 500);
      const images = await daemon.list();
      const names = images.flatMap((image) => image.names).toSorted();
      expect(names.filter((name) => name !== 'app:unique')).toEqual(['app:1']);
      for (const { id } of images) expect((await daemon.inspect(id)).diffIds).not.toEqual([]);
    },
  );

  test.skipIf(skip)('sends a layer that several images share once', async () => {
    const family = ['a', 'b', 'c'].map((text) => makeCargo({ layers: [...BASE.slice(0, 3), text] }));
    let bytesSent = 0;
    for (const [i, { root, source }] of family.entries()) {
      bytesSent += (await daemon.load(root, source, [`family:${i}`])).bytesSent;
    }
    const shared = family[0]!.layers.slice(0, 3).reduce((sum, { size }) => sum + size, 0);
    expect(bytesSent).toBeLessThan(shared + 3 * 65_536);
  });
});

describe.each(['docker-20.10', 'docker-28-graph'] as const)('the build cache of %s', (kind) => {
  const skip = skipReason(kind) !== undefined;

  test.skipIf(skip)('is found to hold layers that no image has', async () => {
    const real = await startDaemon(kind);
    const daemon = await connectDocker({ host: real.host });
    onTestFinished(async () => {
      await daemon.close();
      await real.stop();
    });
    const id = await buildTinyImage(real, ['cached:1'], {
      buildkit: true,
      layers: [`cached ${kind}`, 'second', 'third'],
    });
    const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
    await save({ from: daemon, images: ['cached:1'], to: layout });
    await daemon.remove('cached:1');
    expect(await daemon.list()).toEqual([]);
    const { images } = await load({ from: [layout], to: daemon });
    console.log(`${kind}: ${images[0]?.layersPresent} of 3 layers found in the build cache`);
    expect(images[0]).toMatchObject({ id, status: 'loaded', layersSent: 0, layersPresent: 3 });
  });
});

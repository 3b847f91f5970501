import { beforeEach, describe, expect, test } from 'vitest';
import { Layout } from '../../../src/layout/layout.ts';
import { load } from '../../../src/verbs/load/load.ts';
import { parsePlatform } from '../../../src/oci/platform.ts';
import type { ProgressEvent } from '../../../src/progress.ts';
import { save } from '../../../src/verbs/save/save.ts';
import type { TestCargo } from '../../docker/cargo.ts';
import { makeCargo, makeIndexCargo } from '../../docker/cargo.ts';
import { everyChunkReported } from '../../support/every-chunk.ts';
import { MemoryEndpoint } from '../../support/memory-endpoint.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const APP = makeCargo({ layers: ['base', 'app'] });
const TOOLS = makeCargo({ layers: ['base', 'tools'] });
const ARM = makeCargo({ layers: ['base', 'arm'], architecture: 'arm64' });
const BOTH = makeIndexCargo([APP, ARM], ['amd64', 'arm64']);
const short = (digest: string): string => digest.slice(7, 19);

async function newLayout(): Promise<Layout> {
  return Layout.create(`${await temporaryFolder()}/layout`);
}

async function layoutOf(...images: [TestCargo, ...string[]][]): Promise<Layout> {
  const layout = await newLayout();
  await layout.update(async (transaction) => {
    for (const [{ source, root }, ...names] of images) {
      for (const [digest, bytes] of source.blobs) {
        const descriptor = { mediaType: 'application/octet-stream', digest, size: bytes.length };
        await transaction.put(
          descriptor,
          (async function* () {
            yield bytes;
          })(),
        );
      }
      transaction.add(root, names, {});
    }
  });
  return layout;
}

describe('load', () => {
  let daemon: MemoryEndpoint;
  beforeEach(() => void (daemon = new MemoryEndpoint()));

  test('says which further names an image got', async () => {
    const layout = await layoutOf([APP, 'app:1']);
    const { images } = await load({ from: [layout], to: daemon, tags: ['other', 'registry.example/app:2'] });
    expect(images.map(({ tags }) => tags)).toEqual([['other:latest', 'registry.example/app:2']]);
  });

  test('sends nothing if the plan is refused', async () => {
    const layout = await layoutOf([APP, 'app:1']);
    const planned: unknown[] = [];
    const loading = load({
      from: [layout],
      to: daemon,
      tags: ['other:1'],
      onPlanned: (images) => {
        planned.push(...images);
        throw new Error('not like this');
      },
    });
    await expect(loading).rejects.toThrow('not like this');
    expect(planned).toEqual([
      {
        name: 'app:1',
        names: ['app:1', 'other:1'],
        ref: `app:drayage-${short(APP.configDigest)}`,
        id: APP.configDigest,
        digest: APP.root.digest,
      },
    ]);
    expect(daemon.loads).toEqual([]);
  });

  test('the unique tag comes first, then the names it was saved under', async () => {
    const layout = await layoutOf([APP, 'app:1', 'app:latest']);
    const { images, seconds } = await load({ from: [layout], to: daemon });
    const ref = `app:drayage-${short(APP.configDigest)}`;
    expect(daemon.loads).toEqual([
      { root: expect.objectContaining(APP.root) as object, names: [ref, 'app:1', 'app:latest'] },
    ]);
    expect(images).toEqual([
      {
        name: 'app:1',
        ref,
        id: APP.configDigest,
        digest: APP.root.digest,
        daemonId: APP.configDigest,
        status: 'loaded',
        layersSent: 2,
        layersPresent: 0,
        bytesSent: 4096,
        moved: [],
        tags: [],
        bytesTotal: APP.layers.reduce((sum, { size }) => sum + size, 0),
      },
    ]);
    expect(seconds).toBeGreaterThan(0);
  });

  test.each([
    [{ names: 'unique' as const }, []],
    [{ names: 'restore' as const }, ['app:1']],
    [{ names: 'unique' as const, tags: ['docker.io/library/test'] }, ['test:latest']],
    [{ tags: ['app:1', 'test:2'] }, ['app:1', 'test:2']],
  ])('with %j its further names are %j', async (options, names) => {
    await load({ from: [await layoutOf([APP, 'app:1'])], to: daemon, ...options });
    expect(daemon.loads[0]?.names.slice(1)).toEqual(names);
  });

  test('an image without a name gets its unique tag only', async () => {
    const { images } = await load({ from: [await layoutOf([APP])], to: daemon });
    const ref = `drayage:drayage-${short(APP.configDigest)}`;
    expect(images[0]).toMatchObject({ name: null, ref });
    expect(daemon.loads[0]?.names).toEqual([ref]);
  });

  test('a tag for several images is ambiguous, and nothing is loaded', async () => {
    const from = [await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1'])];
    await expect(load({ from, to: daemon, tags: ['x:1'] })).rejects.toMatchObject({ code: 'AMBIGUOUS' });
    expect(daemon.loads).toEqual([]);
    await load({ from, to: daemon, images: ['tools:1'], tags: ['x:1'] });
    expect(daemon.loads[0]?.names).toContain('x:1');
  });

  test.each(['Not A Tag', 'x:y:z'])('the tag %j is refused before anything is loaded', async (tag) => {
    const from = [await layoutOf([APP, 'app:1'])];
    await expect(load({ from, to: daemon, tags: [tag] })).rejects.toMatchObject({ code: 'USAGE' });
    expect(daemon.loads).toEqual([]);
  });

  test('of a multi-platform image the whole is offered, and named by its own digest', async () => {
    const { images } = await load({ from: [await layoutOf([BOTH, 'app:1'])], to: daemon });
    expect(daemon.loads[0]?.root.digest).toBe(BOTH.root.digest);
    expect(images[0]).toMatchObject({ id: APP.configDigest, ref: `app:drayage-${short(BOTH.root.digest)}` });
  });

  test("what is told is of the daemon's platform", async () => {
    const arm = new MemoryEndpoint({ os: 'linux', architecture: 'arm64' });
    const { images } = await load({ from: [await layoutOf([BOTH, 'app:1'])], to: arm });
    expect(images[0]).toMatchObject({ id: ARM.configDigest, digest: BOTH.root.digest });
  });

  test('with a platform only its image is offered', async () => {
    const from = [await layoutOf([BOTH, 'app:1'])];
    const { images } = await load({ from, to: daemon, platform: parsePlatform('linux/arm64') });
    expect(daemon.loads[0]?.root.digest).toBe(ARM.root.digest);
    expect(images[0]).toMatchObject({ id: ARM.configDigest });
    const platform = parsePlatform('linux/s390x');
    await expect(load({ from, to: daemon, platform })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('the only image is loaded whatever it is for', async () => {
    const { images } = await load({ from: [await layoutOf([ARM, 'app:1'])], to: daemon });
    expect(images[0]?.id).toBe(ARM.configDigest);
  });

  test('progress tells each image, then what was sent of it', async () => {
    everyChunkReported();
    const events: ProgressEvent[] = [];
    const from = [await layoutOf([APP, 'app:1'], [TOOLS])];
    await load({ from, to: daemon, onProgress: (event) => events.push(event) });
    const sent = { kind: 'bytes', direction: 'sent', bytes: 2048 };
    expect(events).toEqual([
      { kind: 'start', images: 2, layers: 4, size: expect.any(Number) as number },
      { kind: 'image', name: 'app:1' },
      sent,
      sent,
      { kind: 'image', name: `drayage:drayage-${short(TOOLS.configDigest)}` },
      sent,
      sent,
    ]);
  });

  test('an image that is there is not sent again', async () => {
    const from = [await layoutOf([APP, 'app:1'])];
    await load({ from, to: daemon });
    const { images } = await load({ from, to: daemon });
    expect(images[0]).toMatchObject({ status: 'present', layersSent: 0, layersPresent: 2, bytesSent: 0 });
  });

  test('all of it is sent where that is asked for', async () => {
    const from = [await layoutOf([APP, 'app:1'])];
    await load({ from, to: daemon, full: true });
    expect(daemon.loads).toMatchObject([{ full: true }]);
  });

  test('a name that meant another image is told', async () => {
    await daemon.hold(TOOLS.root, TOOLS.source, ['app:1', 'tools:1']);
    const { images } = await load({ from: [await layoutOf([APP, 'app:1'])], to: daemon });
    expect(images[0]?.moved).toEqual([{ name: 'app:1', from: TOOLS.configDigest }]);
  });

  test('an abort ends it with its reason', async () => {
    const from = [await layoutOf([APP, 'app:1'])];
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(load({ from, to: daemon, signal })).rejects.toThrow('enough');
    expect(daemon.loads).toEqual([]);
  });
});

describe('save from a daemon', () => {
  let daemon: MemoryEndpoint;
  beforeEach(async () => {
    daemon = new MemoryEndpoint();
    await daemon.hold(APP.root, APP.source, ['app:1', 'app:latest']);
    await daemon.hold(TOOLS.root, TOOLS.source, ['tools:1']);
  });

  test.each([
    ['a name', ['app'], ['app:latest']],
    ['a full name', ['docker.io/library/app:1'], ['app:1']],
    ['an ID', [APP.configDigest], []],
    ['a short ID', [short(APP.configDigest)], []],
    ['the name podman shows', ['localhost/app:1'], ['app:1']],
    ['two names', ['app:1', 'app'], ['app:1', 'app:latest']],
    ['an ID and a name', [APP.configDigest, 'app:1'], ['app:1']],
  ])('by %s it has the names asked for, and is fetched once, by its ID', async (_, images, names) => {
    const layout = await newLayout();
    const result = await save({ from: daemon, images, to: layout });
    expect(result.images).toHaveLength(1);
    expect(result.images[0]).toMatchObject({ id: APP.configDigest, name: names[0] ?? null });
    expect(await layout.images()).toMatchObject([{ names }]);
    expect(daemon.saves).toEqual([APP.configDigest]);
  });

  test('several images share their layers', async () => {
    const layout = await newLayout();
    const result = await save({ from: daemon, images: ['app:1', 'tools:1'], to: layout });
    expect(result.images.map(({ layers }) => layers.map(({ status }) => status))).toEqual([
      ['written', 'written'],
      ['reused', 'written'],
    ]);
    const { bytes } = result;
    expect(bytes.total).toBe(bytes.written);
    expect(bytes.reused).toBe(0);
  });

  test('an unknown image is an error with the names there are, and nothing is stored', async () => {
    const layout = await newLayout();
    await expect(save({ from: daemon, images: ['app:1', 'nope'], to: layout })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      facts: { candidates: ['app:1', 'app:latest', 'tools:1'] },
    });
    expect(daemon.saves).toEqual([]);
    expect(await layout.images()).toEqual([]);
  });

  test('no image at all is a mistake in the request', async () => {
    await expect(save({ from: daemon, to: await newLayout() })).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('what was saved goes into another daemon as the same image', async () => {
    const layout = await newLayout();
    await save({ from: daemon, images: ['app:1'], to: layout });
    const other = new MemoryEndpoint();
    const { images } = await load({ from: [layout], to: other });
    expect(images[0]).toMatchObject({ id: APP.configDigest, status: 'loaded' });
    expect(await other.inspect('app:1')).toMatchObject({ id: APP.configDigest });
  });
});

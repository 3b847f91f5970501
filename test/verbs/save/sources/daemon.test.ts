import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { Layout } from '../../../../src/layout/layout.ts';
import type { ProgressEvent } from '../../../../src/progress.ts';
import type { SaveResult } from '../../../../src/verbs/save/options.ts';
import { save } from '../../../../src/verbs/save/save.ts';
import { verify } from '../../../../src/verbs/verify/verify.ts';
import { makeCargo } from '../../../docker/cargo.ts';
import { MemoryEndpoint } from '../../../support/memory-endpoint.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const APP = makeCargo({ layers: ['base', 'app'], compress: false });
const TOOLS = makeCargo({ layers: ['base', 'tools'], compress: false });
const LAST = makeCargo({ layers: ['last'], compress: false });

async function start() {
  const daemon = new MemoryEndpoint();
  await daemon.hold(APP.root, APP.source, ['app:1']);
  await daemon.hold(TOOLS.root, TOOLS.source, ['tools:1']);
  await daemon.hold(LAST.root, LAST.source, ['last:1']);
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  return { daemon, layout };
}

const statuses = ({ images }: SaveResult): string[][] =>
  images.map(({ layers }) => layers.map(({ status }) => status));

describe('an image that the layout holds', () => {
  test.each(['none', 'gzip'] as const)(
    'is not asked for, whatever codec is asked for (%s)',
    async (compress) => {
      const { daemon, layout } = await start();
      const first = await save({ from: daemon, images: ['app:1'], to: layout, compress: 'gzip' });
      const again = await save({ from: daemon, images: ['app:1'], to: layout, compress });
      expect(daemon.saves).toEqual([APP.configDigest]);
      expect(again.bytes).toMatchObject({ read: 0, written: 0, reused: first.bytes.total });
      expect(statuses(again)).toEqual([['reused', 'reused']]);
      expect(again.images[0]?.digest).toBe(first.images[0]?.digest);
    },
  );

  test('is told before its layers, as one that comes', async () => {
    const { daemon, layout } = await start();
    const told = async (): Promise<string[]> => {
      const events: ProgressEvent[] = [];
      const onProgress = (event: ProgressEvent): void => void events.push(event);
      await save({ from: daemon, images: ['app:1'], to: layout, onProgress });
      return events.map(({ kind }) => kind).filter((kind) => kind === 'image' || kind === 'layer');
    };
    const coming = await told();
    expect(coming).toEqual(['image', 'layer', 'layer']);
    expect(await told()).toEqual(coming);
  });

  test('is saved without what its builder calls it, if that cannot be a name', async () => {
    const { daemon, layout } = await start();
    const notes: string[] = [];
    const onProgress = (event: ProgressEvent): void => {
      if (event.kind === 'note') notes.push(event.message);
    };
    const digest = `sha256:${'a'.repeat(64)}`;
    const others = [
      `moby-dangling@${digest}`,
      `app:1@${digest}`,
      digest,
      'App:1',
      '<none>:<none>',
      '',
      'a'.repeat(300),
    ];
    const names = new Map([[APP.configDigest, [...others, 'built:2']]]);
    await save({ from: daemon, images: [APP.configDigest], names, to: layout, onProgress });
    expect((await layout.images()).map((image) => image.names)).toEqual([['built:2']]);
    expect(notes).toHaveLength(others.length);
    expect(notes[0]).toContain('"moby-dangling@sha256:');
  });

  test('gets the name by which it is asked for', async () => {
    const { daemon, layout } = await start();
    await save({ from: daemon, images: [APP.configDigest], to: layout });
    await save({ from: daemon, images: ['app:1'], to: layout });
    expect((await layout.resolve('app:1'))[0].names).toEqual(['app:1']);
    expect(daemon.saves).toHaveLength(1);
  });

  test('gets the names it was built under, whatever the daemon calls so by now', async () => {
    const { daemon, layout } = await start();
    const names = new Map([[APP.configDigest, ['tools:1', 'docker.io/library/built']]]);
    const { images } = await save({ from: daemon, images: [APP.configDigest], names, to: layout });
    expect(images.map(({ name }) => name)).toEqual(['tools:1']);
    const [{ names: stored, root }] = await layout.resolve('built');
    expect([stored, root.digest]).toEqual([['tools:1', 'built:latest'], images[0]?.digest]);
  });

  test.each(['layer', 'config'] as const)(
    'is saved anew where its %s is damaged, which heals it',
    async (what) => {
      const { daemon, layout } = await start();
      const { images } = await save({ from: daemon, images: ['app:1'], to: layout });
      const digest = what === 'layer' ? images[0]?.layers[0]?.digest : images[0]?.id;
      await writeFile(join(layout.path, 'blobs/sha256', digest?.slice(7) ?? ''), 'damage');
      const again = await save({ from: daemon, images: ['app:1'], to: layout });
      expect(daemon.saves).toHaveLength(2);
      expect(again.bytes.read).toBeGreaterThan(0);
      expect((await verify({ layout })).problems).toEqual([]);
    },
  );
});

describe('several images', () => {
  test('come in the order in which they are asked for', async () => {
    const { daemon, layout } = await start();
    const images = ['tools:1', 'app:1', 'last:1'];
    const result = await save({ from: daemon, images, to: layout });
    expect(result.images.map(({ name }) => name)).toEqual(images);
    expect(daemon.saves).toEqual([TOOLS, APP, LAST].map(({ configDigest }) => configDigest));
  });

  test('are asked for one ahead of a daemon that spools, and one by one of others', async () => {
    for (const spools of [true, false]) {
      const { daemon, layout } = await start();
      daemon.spools = spools;
      const askedWhileReading: number[] = [];
      const onProgress = (event: { kind: string }): void => {
        if (event.kind === 'layer') askedWhileReading.push(daemon.saves.length);
      };
      await save({ from: daemon, images: ['app:1', 'tools:1', 'last:1'], to: layout, onProgress });
      expect(askedWhileReading).toEqual(spools ? [2, 2, 3, 3, 3] : [1, 1, 2, 2, 3]);
    }
  });

  test('end with the first that fails: the request that is one ahead is given up', async () => {
    const { daemon, layout } = await start();
    daemon.spools = true;
    const signals: (AbortSignal | undefined)[] = [];
    const plain = daemon.save.bind(daemon);
    daemon.save = async (image, options) => {
      signals.push(options?.signal);
      return image === APP.configDigest ? Readable.from([Buffer.alloc(100)]) : plain(image, options);
    };
    await expect(save({ from: daemon, images: ['app:1', 'tools:1'], to: layout })).rejects.toMatchObject({
      code: 'TRUNCATED',
    });
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, true]);
    expect(await layout.images()).toEqual([]);
  });

  test('come in one request where that is asked for, without those that are held', async () => {
    const { daemon, layout } = await start();
    await save({ from: daemon, images: ['last:1'], to: layout });
    const images = ['tools:1', 'last:1', 'app:1'];
    const result = await save({ from: daemon, images, to: layout, oneRequest: true });
    expect(daemon.saves.at(-1)).toBe(`${TOOLS.configDigest} ${APP.configDigest}`);
    expect(result.images.map(({ name, id }) => [name, id])).toEqual([
      ['tools:1', TOOLS.configDigest],
      ['last:1', LAST.configDigest],
      ['app:1', APP.configDigest],
    ]);
  });
});

test('an image for another platform is an error that lists what it is for', async () => {
  const { daemon, layout } = await start();
  const platform = { os: 'linux', architecture: 's390x' };
  await expect(save({ from: daemon, images: ['app:1'], to: layout, platform })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    facts: { candidates: ['linux/amd64'] },
  });
  expect(daemon.saves).toEqual([]);
});

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { DrayageError } from '../../../../src/errors.ts';
import { exportArchive } from '../../../../src/verbs/export.ts';
import { fetchImages } from '../../../../src/verbs/fetch.ts';
import { readImage } from '../../../../src/image/image.ts';
import { footprint } from '../../../../src/image/footprint.ts';
import { Layout } from '../../../../src/layout/layout.ts';
import { load } from '../../../../src/verbs/load/load.ts';
import type { Descriptor } from '../../../../src/oci/descriptor.ts';
import type { ProgressEvent } from '../../../../src/progress.ts';
import type { SaveOptions, SaveResult } from '../../../../src/verbs/save/options.ts';
import { save } from '../../../../src/verbs/save/save.ts';
import { drain } from '../../../../src/stream/drain.ts';
import { once } from '../../../../src/stream/tap.ts';
import type { OpenBase } from '../../../../src/image/open-base.ts';
import { omittedContent } from '../../../../src/image/omitted-content.ts';
import type { ThinOptions } from '../../../../src/verbs/save/thin/omitter.ts';
import { verify } from '../../../../src/verbs/verify/verify.ts';
import type { TestCargo } from '../../../docker/cargo.ts';
import { makeCargo, makeIndexCargo } from '../../../docker/cargo.ts';
import { MemoryEndpoint } from '../../../support/memory-endpoint.ts';
import { MemoryRegistry } from '../../../support/memory-registry.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const BASE = makeCargo({ layers: ['base', 'middle'] });
const APP = makeCargo({ layers: ['base', 'middle', 'app'], compress: false });
const NAME = 'registry.example/base:1';
const OMITTED = 'dev.drayage.omitted-layers';
const SAID = {
  'org.opencontainers.image.base.name': NAME,
  'org.opencontainers.image.base.digest': BASE.root.digest,
};

let registry: MemoryRegistry;
let notes: string[];
beforeEach(() => {
  notes = [];
  registry = new MemoryRegistry();
  registry.push(NAME, BASE.root, BASE.source);
});

const openBase: OpenBase = async ({ name }) => registry.open(name);

async function thin(
  from: SaveOptions['from'],
  search: Partial<ThinOptions> = {},
  options: Partial<SaveOptions> & { to?: Layout } = {},
): Promise<{ layout: Layout; result: SaveResult }> {
  const layout = options.to ?? (await Layout.create(`${await temporaryFolder()}/layout`));
  const result = await save({
    images: 'load' in from ? ['app:1'] : [],
    compress: 'gzip',
    ...options,
    from,
    to: layout,
    thin: { when: 'always', openRepository: registry.open, ...search },
    onProgress: (event) => void (event.kind === 'note' && notes.push(event.message)),
  });
  return { layout, result };
}

async function daemonWith(...images: [TestCargo, string][]): Promise<MemoryEndpoint> {
  const daemon = new MemoryEndpoint();
  for (const [{ root, source }, name] of images) await daemon.hold(root, source, [name]);
  return daemon;
}

async function archiveOf(cargo: TestCargo): Promise<{ archive: AsyncIterable<Uint8Array> }> {
  return { archive: await (await daemonWith([cargo, 'app:1'])).save('app:1') };
}

/** A layout with the very documents and blobs of an image. */
async function layoutOf(
  { source, root }: TestCargo,
  annotations: Record<string, string> = {},
  without: readonly Descriptor[] = [],
  name = 'app:1',
): Promise<Layout> {
  const absent = new Set(without.map(({ digest }) => digest));
  const layout = await Layout.create(`${await temporaryFolder()}/source`);
  await layout.update(async (content) => {
    for (const [digest, bytes] of source.blobs) {
      const descriptor = { mediaType: 'application/octet-stream', digest, size: bytes.length };
      if (!absent.has(digest)) await content.put(descriptor, once(bytes));
    }
    content.add(root, [name], annotations);
  });
  return layout;
}

const blobsOf = async (layout: Layout): Promise<string[]> => readdir(join(layout.path, 'blobs/sha256'));
const annotationsOf = async (layout: Layout): Promise<Record<string, string> | undefined> =>
  (await layout.images())[0]?.annotations;

/** Images that a daemon has from the registry. */
const pulled = (...images: TestCargo[]): ThinOptions['pulled'] => {
  const all = images.map(({ diffIds, root }) => ({ diffIds, references: [`${NAME}@${root.digest}`] }));
  return async () => all;
};

/** What a whole layout of the image takes up. */
const fullSize = async (): Promise<number> => {
  const { layout } = await thin(await daemonWith([APP, 'app:1']), { when: 'auto', asked: [NAME] });
  expect(registry.asked).toEqual([]);
  const files = await blobsOf(layout);
  expect(files).toHaveLength(5);
  const { bytes } = await footprint(
    layout,
    (await layout.images()).map(({ root }) => root),
  );
  return bytes;
};

describe('a thin save', () => {
  test.each([
    ['a daemon', async () => daemonWith([APP, 'app:1'])],
    ['an archive', async () => archiveOf(APP)],
  ])('out of %s names the blobs of the base and stores none of them', async (_, from) => {
    const { layout, result } = await thin(await from(), { asked: [NAME] });
    expect(result.images).toMatchObject([
      {
        id: APP.configDigest,
        layers: [
          { ...BASE.layers[0], diffId: BASE.diffIds[0], status: 'omitted' },
          { ...BASE.layers[1], diffId: BASE.diffIds[1], status: 'omitted' },
          { status: 'written' },
        ],
      },
    ]);
    expect(result.bytes.omitted).toBe((BASE.layers[0]?.size ?? 0) + (BASE.layers[1]?.size ?? 0));
    expect(await blobsOf(layout)).toHaveLength(3);
    expect(await annotationsOf(layout)).toMatchObject({ ...SAID, [OMITTED]: '2' });
    expect(await verify({ layout })).toMatchObject({ problems: [], omitted: { layers: 2 } });
    expect(registry.layersRead).toEqual([]);
    expect(notes).toEqual([
      expect.stringMatching(
        /^app:1: 2 of 3 layers \(.*\) are omitted: its base registry.example\/base:1 has/,
      ),
    ]);
  });

  test('takes a base by digest, and of several platforms the right one', async () => {
    const arm = makeCargo({ layers: ['arm', 'middle'], architecture: 'arm64' });
    const both = makeIndexCargo([arm, BASE], ['arm64', 'amd64']);
    registry.push('registry.example/multi:1', both.root, both.source);
    const asked = [`registry.example/multi@${both.root.digest}`];
    const { layout } = await thin(await daemonWith([APP, 'app:1']), { asked });
    expect(await annotationsOf(layout)).toMatchObject({
      'org.opencontainers.image.base.name': asked[0],
      'org.opencontainers.image.base.digest': both.root.digest,
      [OMITTED]: '2',
    });
    expect(registry.asked).not.toContain(`open ${arm.root.digest}`);
  });

  test('saves all of an image that is built on something else, and says so', async () => {
    const other = makeCargo({ layers: ['base', 'other'] });
    registry.push('registry.example/other:1', other.root, other.source);
    const { layout } = await thin(await daemonWith([APP, 'app:1']), { asked: ['registry.example/other:1'] });
    expect(await annotationsOf(layout)).not.toHaveProperty(OMITTED);
    expect(await verify({ layout })).toMatchObject({ problems: [], omitted: { layers: 0 } });
    expect(notes).toEqual([
      'app:1: the base registry.example/other:1 cannot be used: its layers are not the first layers of app:1',
    ]);
  });

  test('stores a layer that only the base of another image has', async () => {
    const side = makeCargo({ layers: ['base', 'side'], compress: false });
    const daemon = await daemonWith([APP, 'app:1'], [side, 'side:1']);
    const { layout, result } = await thin(daemon, { asked: [NAME] }, { images: ['app:1', 'side:1'] });
    expect(result.images.map(({ layers }) => layers.map(({ status }) => status))).toEqual([
      ['omitted', 'omitted', 'written'],
      ['written', 'written'],
    ]);
    expect(await verify({ layout })).toMatchObject({ problems: [], omitted: { layers: 1 } });
    expect(registry.layersRead).toEqual([BASE.layers[0]?.digest]);
  });

  test.each([
    ['has no such image', new DrayageError('NOT_FOUND', 'no manifest')],
    ['refuses', new DrayageError('POLICY', 'denied')],
    ['is out of reach', new DrayageError('UNREACHABLE', 'no answer')],
  ])('saves all where the registry %s, and says so', async (_, refusal) => {
    registry.refusal = refusal;
    const { layout } = await thin(await daemonWith([APP, 'app:1']), { asked: [NAME] });
    expect((await verify({ layout })).omitted.layers).toBe(0);
    expect(notes).toEqual([
      expect.stringMatching(`^app:1: the base ${NAME} cannot be used: ${refusal.message}`),
    ]);
  });

  test('saves all where the registry lacks a blob by now', async () => {
    registry.content(NAME).blobs.delete(BASE.layers[1]?.digest ?? BASE.root.digest);
    const { layout } = await thin(await daemonWith([APP, 'app:1']), { asked: [NAME] });
    expect((await verify({ layout })).omitted.layers).toBe(0);
    expect(notes).toEqual([expect.stringContaining('its registry does not have layer')]);
  });

  test('names what is no reference', async () => {
    await thin(await daemonWith([APP, 'app:1']), { asked: ['Not A Reference'] });
    expect(notes).toEqual([expect.stringContaining('not an image reference')]);
  });

  test('keeps a manifest that came with the image, and leaves out what it names of the base', async () => {
    const built = makeCargo({ layers: ['base', 'middle', 'app'] });
    const { layout, result } = await thin(await layoutOf(built), { asked: [NAME] });
    expect(result.images[0]?.digest).toBe(built.root.digest);
    expect(await annotationsOf(layout)).toMatchObject({ ...SAID, [OMITTED]: '2' });
    expect(await blobsOf(layout)).toHaveLength(3);
  });

  test('leaves out nothing where such a manifest names other blobs, and says so', async () => {
    const { layout, result } = await thin(await layoutOf(APP), { asked: [NAME] });
    expect(result.images[0]?.digest).toBe(APP.root.digest);
    expect(await annotationsOf(layout)).not.toHaveProperty(OMITTED);
    expect((await verify({ layout })).problems).toEqual([]);
    expect(notes).toEqual([expect.stringContaining('nothing is omitted')]);
  });

  test('of an index leaves out as many layers as all of its images have of their bases', async () => {
    const arm = makeCargo({ layers: ['base', 'arm'], architecture: 'arm64' });
    const armApp = makeCargo({ layers: ['base', 'arm', 'app'], architecture: 'arm64' });
    const app = makeCargo({ layers: ['base', 'middle', 'app'] });
    const bases = makeIndexCargo([BASE, arm], ['amd64', 'arm64']);
    registry.push('registry.example/multi:1', bases.root, bases.source);
    const both = await layoutOf(makeIndexCargo([app, armApp], ['amd64', 'arm64']));
    const { layout } = await thin(both, { asked: ['registry.example/multi:1'] });
    expect(await annotationsOf(layout)).toMatchObject({ [OMITTED]: '2' });
    expect(await verify({ layout })).toMatchObject({ problems: [], omitted: { layers: 3 } });
  });
});

describe('the base of an image', () => {
  const other = makeCargo({ layers: ['base', 'middle', 'app', 'other'] });
  test('is found in what the build has written down, among other images', async () => {
    registry.push('registry.example/tools:1', other.root, other.source);
    const { layout } = await thin(await daemonWith([APP, 'app:1']), {
      built: ['registry.example/tools:1', NAME],
    });
    expect(await annotationsOf(layout)).toMatchObject(SAID);
    expect(notes).toHaveLength(1);
  });

  test.each(['always', 'auto'] as const)(
    'is not chosen by annotations or labels of the image, where layers are omitted %s',
    async (when) => {
      const app = makeCargo({ layers: ['base', 'middle', 'app'], compress: false });
      const full = await layoutOf(app, SAID);
      const daemon = await daemonWith([APP, 'app:1']);
      const inspect = daemon.inspect.bind(daemon);
      daemon.inspect = async (image, options) => ({ ...(await inspect(image, options)), labels: SAID });
      for (const from of [full, daemon]) {
        const { layout } = await thin(from, { when }, { annotations: SAID, warnSize: 1 });
        expect(await annotationsOf(layout)).not.toHaveProperty(OMITTED);
      }
      expect(registry.asked).toEqual([]);
    },
  );

  test('is the pulled image with the most layers that are the first of the image', async () => {
    const small = makeCargo({ layers: ['base'] });
    registry.push(NAME, small.root, small.source);
    registry.push(NAME, BASE.root, BASE.source);
    const search = { pulled: pulled(small, BASE, other, makeCargo({ layers: ['x'] }), APP) };
    const { layout } = await thin(await daemonWith([APP, 'app:1']), search);
    expect(await annotationsOf(layout)).toMatchObject({ ...SAID, [OMITTED]: '2' });
    expect(registry.asked.filter((line) => line.startsWith('resolve'))).toEqual([
      `resolve ${BASE.root.digest}`,
    ]);
  });

  test('may be the second that is tried, and nothing is said of the first', async () => {
    const { layout } = await thin(await daemonWith([APP, 'app:1']), {
      built: [`${NAME}@${other.root.digest}`, NAME],
    });
    expect(await annotationsOf(layout)).toMatchObject(SAID);
    expect(notes).toEqual([expect.stringContaining('2 of 3 layers')]);
  });

  test('that was asked for is the only one that is tried', async () => {
    registry.push('registry.example/tools:1', other.root, other.source);
    const { layout } = await thin(await daemonWith([APP, 'app:1']), {
      asked: ['registry.example/tools:1'],
      built: [NAME],
      pulled: pulled(BASE),
    });
    expect(await annotationsOf(layout)).not.toHaveProperty(OMITTED);
  });

  test('is sought once for all images', async () => {
    const side = makeCargo({ layers: ['base', 'middle', 'side'], compress: false });
    const daemon = await daemonWith([APP, 'app:1'], [side, 'side:1']);
    await thin(daemon, { built: [NAME] }, { images: ['app:1', 'side:1'] });
    expect(registry.asked.filter((line) => line.startsWith('resolve'))).toHaveLength(1);
    expect(registry.asked.filter((line) => line.startsWith('has'))).toHaveLength(2);
  });
});

describe('a save that is thin where the layout would be too large', () => {
  test.each(['maxSize', 'warnSize'] as const)('asks no registry up to its %s', async (limit) => {
    const bytes = await fullSize();
    const search = { when: 'auto' as const, asked: [NAME] };
    const { layout } = await thin(await daemonWith([APP, 'app:1']), search, { [limit]: bytes });
    expect(registry.asked).toEqual([]);
    expect(await annotationsOf(layout)).not.toHaveProperty(OMITTED);
    expect(notes).toEqual([]);
  });

  test.each(['maxSize', 'warnSize'] as const)('is thin a byte beyond its %s', async (limit) => {
    const bytes = await fullSize();
    const search = { when: 'auto' as const, asked: [NAME] };
    const { layout, result } = await thin(await daemonWith([APP, 'app:1']), search, { [limit]: bytes - 1 });
    expect(await annotationsOf(layout)).toMatchObject({ ...SAID, [OMITTED]: '2' });
    expect(result.images[0]?.layers.slice(0, 2)).toMatchObject(
      BASE.layers.map((blob) => ({ ...blob, status: 'omitted' })),
    );
    expect(await blobsOf(layout)).toHaveLength(3);
    expect(notes).toEqual([expect.stringContaining('2 of 3 layers')]);
  });

  test('is refused where no base is found', async () => {
    const maxSize = (await fullSize()) - 1;
    const refused = thin(await daemonWith([APP, 'app:1']), { when: 'auto' }, { maxSize });
    await expect(refused).rejects.toMatchObject({ code: 'LIMIT' });
  });
});

describe('an image without its base', () => {
  let layout: Layout;
  beforeEach(async () => {
    ({ layout } = await thin(await daemonWith([APP, 'app:1']), { asked: [NAME] }));
    registry.asked.splice(0);
    notes.splice(0);
  });

  test('is loaded with what the registry has of it', async () => {
    const daemon = new MemoryEndpoint();
    const onProgress = (event: ProgressEvent): void =>
      void (event.kind === 'note' && notes.push(event.message));
    const { images } = await load({ from: [layout], to: daemon, openBase, onProgress });
    expect(images).toMatchObject([{ id: APP.configDigest, status: 'loaded', layersSent: 3 }]);
    expect(new Set(registry.layersRead)).toEqual(new Set(BASE.layers.map(({ digest }) => digest)));
    expect(notes).toEqual([`app:1: omitted layers are read from its base ${NAME}@${BASE.root.digest}`]);
  });

  test('asks nobody where the daemon has it', async () => {
    await load({ from: [layout], to: await daemonWith([APP, 'app:1']), openBase });
    expect(registry.asked).toEqual([]);
  });

  test('asks no registry for what another layout has', async () => {
    const base = await layoutOf(BASE, {}, [], 'base:1');
    const { images } = await load({
      from: [layout, base],
      images: ['app:1'],
      to: new MemoryEndpoint(),
      openBase,
    });
    expect(images[0]?.id).toBe(APP.configDigest);
    expect(registry.asked).toEqual([]);
  });

  test.each([
    ['is gone', new DrayageError('NOT_FOUND', 'no such repository')],
    ['refuses us', new DrayageError('POLICY', 'denied')],
    ['needs another credential', new DrayageError('DENIED', 'denied')],
  ])('is out of reach where the base %s, and that is named', async (_, refusal) => {
    registry.refusal = refusal;
    const daemon = new MemoryEndpoint();
    await expect(load({ from: [layout], to: daemon, openBase })).rejects.toMatchObject({
      code: refusal.code === 'DENIED' ? 'DENIED' : 'UNREACHABLE',
      message: expect.stringContaining(`base ${NAME}@${BASE.root.digest}: ${refusal.message}`) as string,
      facts: { digest: BASE.layers[0]?.digest },
    });
    expect(daemon.held).toEqual([]);
  });

  test('is out of reach where the registry has lost a blob', async () => {
    registry.content(NAME).blobs.delete(BASE.layers[1]?.digest ?? BASE.root.digest);
    await expect(load({ from: [layout], to: new MemoryEndpoint(), openBase })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      facts: { digest: BASE.layers[1]?.digest },
    });
  });

  test('is refused where the registry gives other bytes', async () => {
    const [first] = BASE.layers;
    registry.content(NAME).blobs.set(first?.digest ?? BASE.root.digest, new Uint8Array(first?.size ?? 0));
    const daemon = new MemoryEndpoint();
    const refused = load({ from: [layout], to: daemon, openBase });
    await expect(refused).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(daemon.held).toEqual([]);
  });

  test('is read twice where the layer has to be proven, once where the reader does that or it was done', async () => {
    const base = makeCargo({ layers: ['not proven by any other test'] });
    const app = makeCargo({ layers: ['not proven by any other test', 'app'] });
    registry.push(NAME, base.root, base.source);
    const thinLayout = await layoutOf(app, { ...SAID, [OMITTED]: '1' }, base.layers);
    const [image] = await thinLayout.images();
    const [first] = base.layers;
    if (image === undefined || first === undefined) throw new Error('nothing to read');
    const read = [await readImage(thinLayout, image.root)];
    const whole = omittedContent({ content: thinLayout, image, read }, { openBase });
    for (const [options, times] of [
      [{ diffIdChecked: true }, 1],
      [{}, 2],
      [{}, 1],
    ] as const) {
      registry.asked.splice(0);
      await drain(await whole.open(first, options));
      expect(registry.layersRead).toEqual(Array.from({ length: times }, () => first.digest));
    }
  });

  test('is refused where a blob of the registry never was the layer it stood for', async () => {
    const misnamed = makeCargo({ layers: ['base', 'middle'], misnamed: true });
    registry.push('registry.example/false:1', misnamed.root, misnamed.source);
    const source = await registry.open('registry.example/false:1');
    const thinLayout = await layoutOf(misnamed, { ...SAID, [OMITTED]: '2' }, misnamed.layers);
    const refused = load({ from: [thinLayout], to: new MemoryEndpoint(), openBase: async () => source });
    await expect(refused).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  test('goes whole into an archive, and is completed in place', async () => {
    const archive = await exportArchive({ from: [layout], openBase });
    const to = await Layout.create(`${await temporaryFolder()}/back`);
    const { images } = await save({ from: { archive }, to });
    expect(images[0]?.id).toBe(APP.configDigest);
    const { bytes } = await fetchImages({ from: [layout], to: layout, complete: openBase });
    expect(bytes.fetched).toBe((BASE.layers[0]?.size ?? 0) + (BASE.layers[1]?.size ?? 0));
    expect(await annotationsOf(layout)).toEqual(expect.objectContaining(SAID));
    expect(await annotationsOf(layout)).not.toHaveProperty(OMITTED);
    expect(await verify({ layout })).toMatchObject({ problems: [], omitted: { layers: 0 } });
    expect((await load({ from: [layout], to: new MemoryEndpoint() })).images).toHaveLength(1);
  });
});

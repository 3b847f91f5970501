import { readdirSync, rmSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { exportArchive } from '../../../../src/verbs/export.ts';
import { fetchImages } from '../../../../src/verbs/fetch.ts';
import { inspect } from '../../../../src/verbs/inspect.ts';
import { Layout } from '../../../../src/layout/layout.ts';
import { load } from '../../../../src/verbs/load/load.ts';
import type { Descriptor } from '../../../../src/oci/descriptor.ts';
import type { SaveOptions } from '../../../../src/verbs/save/options.ts';
import { save } from '../../../../src/verbs/save/save.ts';
import { joinPlaces } from '../../../../src/select/places.ts';
import { verify } from '../../../../src/verbs/verify/verify.ts';
import type { TestCargo } from '../../../docker/cargo.ts';
import { makeCargo } from '../../../docker/cargo.ts';
import { MemoryEndpoint } from '../../../support/memory-endpoint.ts';
import { MemoryRegistry } from '../../../support/memory-registry.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const BASE = makeCargo({ layers: ['base', 'middle'] });
const APP = makeCargo({ layers: ['base', 'middle', 'app'] });
const OMITTED = 'dev.drayage.omitted-layers';

const blobsOf = async (layout: Layout): Promise<string[]> =>
  readdir(join(layout.path, 'blobs/sha256')).catch(() => []);
const fileOf = (layout: Layout, { digest }: Pick<Descriptor, 'digest'>): string =>
  join(layout.path, 'blobs/sha256', digest.slice(7));

async function newLayout(): Promise<Layout> {
  return Layout.create(`${await temporaryFolder()}/layout`);
}

/** Saves an image out of a daemon that packs its layers uncompressed. */
async function saved(
  cargo: TestCargo,
  name: string,
  options: Partial<SaveOptions> & { to?: Layout } = {},
): Promise<{ layout: Layout; result: Awaited<ReturnType<typeof save>> }> {
  const daemon = new MemoryEndpoint();
  await daemon.hold(cargo.root, cargo.source, [name]);
  const layout = options.to ?? (await newLayout());
  const result = await save({ images: [name], compress: 'gzip', ...options, from: daemon, to: layout });
  return { layout, result };
}

const noBase = async (): Promise<never> => expect.fail('no base is needed');
const annotationsOf = async (layout: Layout): Promise<Record<string, string> | undefined> =>
  (await layout.images())[0]?.annotations;

describe('a save against a layout', () => {
  let base: Layout;
  beforeEach(async () => void ({ layout: base } = await saved(BASE, 'base:1')));

  test('stores no blob of that layout, and says how many layers it leaves out', async () => {
    const { layout, result } = await saved(APP, 'app:1', { baseLayouts: [base] });
    const [image] = result.images;
    expect(image?.id).toBe(APP.configDigest);
    expect(image?.layers.map(({ status }) => status)).toEqual(['omitted', 'omitted', 'written']);
    const others = new Set(await blobsOf(base));
    expect((await blobsOf(layout)).filter((name) => others.has(name))).toEqual([]);
    expect(await blobsOf(layout)).toHaveLength(3);
    expect(await annotationsOf(layout)).toMatchObject({ [OMITTED]: '2' });
    const sizes = image?.layers.map(({ size }) => size) ?? [];
    expect(result.bytes).toMatchObject({
      omitted: (sizes[0] ?? 0) + (sizes[1] ?? 0),
      written: sizes[2],
      reused: 0,
    });
    expect(readdirSync(layout.path)).not.toContain('manifest.json');
  });

  test('stores again what lies above a layer that is not there', async () => {
    const { layout: three } = await saved(makeCargo({ layers: ['base', 'middle', 'top'] }), 'three:1');
    const other = makeCargo({ layers: ['other', 'middle', 'top'] });
    const apart = await saved(other, 'other:1', { baseLayouts: [three] });
    expect(await annotationsOf(apart.layout)).not.toHaveProperty(OMITTED);
    expect(await verify({ layout: apart.layout })).toMatchObject({ problems: [], omitted: { layers: 0 } });
    const mixed = makeCargo({ layers: ['base', 'new', 'top'] });
    const { layout, result } = await saved(mixed, 'mixed:1', { baseLayouts: [three] });
    expect(await annotationsOf(layout)).toMatchObject({ [OMITTED]: '1' });
    expect(result.images[0]?.layers.map(({ status }) => status)).toEqual(['omitted', 'written', 'written']);
    expect(await verify({ layout })).toMatchObject({ problems: [], omitted: { layers: 1 } });
  });

  test('leaves a layer out wherever it comes again', async () => {
    const twice = makeCargo({ layers: ['base', 'middle', 'app', 'base'] });
    const { layout } = await saved(twice, 'twice:1', { baseLayouts: [base] });
    expect(await annotationsOf(layout)).toMatchObject({ [OMITTED]: '2' });
    expect(await blobsOf(layout)).toHaveLength(3);
    expect((await verify({ layout })).problems).toEqual([]);
    const { images } = await load({ from: [layout, base], to: new MemoryEndpoint() });
    expect(images[0]?.id).toBe(twice.configDigest);
  });

  test('stores a layer whose blob is damaged there', async () => {
    const [image] = (await inspect({ from: [base] })).images;
    const [first] = image?.layers ?? [];
    await writeFile(fileOf(base, first ?? expect.fail()), 'x'.repeat(first?.size ?? 0));
    const { layout, result } = await saved(APP, 'app:1', { baseLayouts: [base] });
    expect(result.images[0]?.layers.map(({ status }) => status)).toEqual(['written', 'written', 'written']);
    expect((await verify({ layout })).problems).toEqual([]);
  });

  test('takes layers from each of several layouts', async () => {
    const { layout: second } = await saved(APP, 'app:1', { baseLayouts: [base] });
    const top = makeCargo({ layers: ['base', 'middle', 'app', 'top'] });
    const { layout } = await saved(top, 'top:1', { baseLayouts: [second, base] });
    expect(await annotationsOf(layout)).toMatchObject({ [OMITTED]: '3' });
    expect(await blobsOf(layout)).toHaveLength(3);
    const { images } = await load({
      from: [second, layout, base],
      images: ['top:1'],
      to: new MemoryEndpoint(),
    });
    expect(images[0]?.id).toBe(top.configDigest);
  });

  test('stores what a layout leaves out itself, unless the base of that is named, too', async () => {
    const said = {
      'org.opencontainers.image.base.name': 'docker.io/library/base:1',
      'org.opencontainers.image.base.digest': BASE.root.digest,
    };
    const { layout: thin } = await saved(APP, 'app:1', { baseLayouts: [base], annotations: said });
    const top = makeCargo({ layers: ['base', 'middle', 'app', 'top'] });
    const alone = await saved(top, 'top:1', { baseLayouts: [thin] });
    expect(await annotationsOf(alone.layout)).not.toHaveProperty(OMITTED);
    expect(await verify({ layout: alone.layout })).toMatchObject({ problems: [], omitted: { layers: 0 } });
    const registry = new MemoryRegistry();
    registry.push('docker.io/library/base:1', BASE.root, BASE.source);
    const { layout } = await saved(top, 'top:1', {
      baseLayouts: [thin],
      thin: { when: 'always', openRepository: registry.open, asked: ['base:1'] },
    });
    expect(await annotationsOf(layout)).toMatchObject({ ...said, [OMITTED]: '3' });
  });

  test('counts as left out up to the last layer that the layout did not hold before', async () => {
    const { layout } = await saved(makeCargo({ layers: ['own', 'middle'] }), 'own:1');
    const { result } = await saved(APP, 'app:1', { baseLayouts: [base], to: layout });
    expect((await layout.resolve('app:1'))[0].annotations).toMatchObject({ [OMITTED]: '1' });
    expect(result.images[0]?.layers.map(({ status }) => status)).toEqual(['omitted', 'reused', 'written']);
  });

  test('leaves out nothing that the layout held before', async () => {
    const { layout } = await saved(BASE, 'base:1');
    await saved(APP, 'app:1', { baseLayouts: [base], to: layout });
    expect((await layout.images()).map(({ annotations }) => annotations[OMITTED])).toEqual([
      undefined,
      undefined,
    ]);
    expect(readdirSync(layout.path)).toContain('manifest.json');
    expect((await verify({ layout })).problems).toEqual([]);
  });

  test('has an image without new layers, too', async () => {
    const { layout } = await saved(BASE, 'again:1', { baseLayouts: [base] });
    expect(await annotationsOf(layout)).toMatchObject({ [OMITTED]: '2' });
    const { images } = await load({ from: [layout, base], images: ['again:1'], to: new MemoryEndpoint() });
    expect(images[0]?.id).toBe(BASE.configDigest);
  });

  test('out of another layout leaves out what both have', async () => {
    const { layout: full } = await saved(APP, 'app:1');
    const to = await newLayout();
    await save({ from: full, to, baseLayouts: [base] });
    expect(await annotationsOf(to)).toMatchObject({ [OMITTED]: '2' });
    expect(await blobsOf(to)).toHaveLength(3);
  });

  test('counts for the size only what it stores', async () => {
    const { result } = await saved(APP, 'app:1', { baseLayouts: [base] });
    const { written } = result.bytes;
    const again = saved(APP, 'app:1', { baseLayouts: [base], maxSize: written });
    await expect(again).rejects.toMatchObject({ code: 'LIMIT' });
    await saved(APP, 'app:1', { baseLayouts: [base], maxSize: written + 2000 });
    await expect(saved(APP, 'app:1', { maxSize: 100 })).rejects.toMatchObject({
      hint: expect.stringContaining('step 0') as string,
    });
    await expect(saved(APP, 'app:1', { baseLayouts: [base], maxSize: 100 })).rejects.toMatchObject({
      hint: expect.not.stringContaining('step 0') as string,
    });
  });
});

describe('an image whose first layers are in another layout', () => {
  let base: Layout;
  let layout: Layout;
  beforeEach(async () => {
    ({ layout: base } = await saved(BASE, 'base:1'));
    ({ layout } = await saved(APP, 'app:1', { baseLayouts: [base] }));
  });

  test('is loaded out of both', async () => {
    const daemon = new MemoryEndpoint();
    const { images } = await load({ from: [layout, base], images: ['app:1'], to: daemon });
    expect(images).toMatchObject([{ id: APP.configDigest, status: 'loaded', layersSent: 3 }]);
  });

  test('is not loaded without the other, and the layer is named', async () => {
    const daemon = new MemoryEndpoint();
    const [image] = (await inspect({ from: [layout] })).images;
    const digest = image?.layers[0]?.digest;
    await expect(load({ from: [layout], to: daemon })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(`layer ${digest} of app:1 is omitted from its layout`) as string,
    });
    expect(daemon.held).toEqual([]);
  });

  test('is not loaded where the other has a damaged blob', async () => {
    const [image] = (await inspect({ from: [base] })).images;
    const [first] = image?.layers ?? [];
    await writeFile(fileOf(base, first ?? expect.fail()), 'x'.repeat(first?.size ?? 0));
    await expect(
      load({ from: [layout, base], images: ['app:1'], to: new MemoryEndpoint() }),
    ).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', facts: { digest: first?.digest } });
  });

  test('is intact, with so many layers left out on purpose', async () => {
    const checked = await verify({ layout });
    expect(checked).toMatchObject({ problems: [], omitted: { layers: 2 } });
    expect((await verify({ layout: base })).omitted).toEqual({ layers: 0, bytes: 0, parts: [] });
    const [image] = (await inspect({ from: [layout] })).images;
    rmSync(fileOf(layout, image?.layers[2] ?? expect.fail()));
    expect((await verify({ layout })).problems).toMatchObject([{ code: 'NOT_FOUND' }]);
  });

  test('is inspected with what is left out', async () => {
    const alone = await inspect({ from: [layout] });
    expect(alone.images[0]?.layers.map(({ omitted }) => omitted)).toEqual([true, true, false]);
    const sizes = alone.images[0]?.layers.map(({ size }) => size) ?? [];
    expect(alone.bytes).toEqual({
      stored: sizes[2],
      unshared: sizes[2],
      omitted: (sizes[0] ?? 0) + (sizes[1] ?? 0),
    });
    expect((await inspect({ from: [layout, base] })).bytes.omitted).toBe(0);
  });

  test('goes into an archive out of both', async () => {
    const archive = await exportArchive({ from: [base, layout], images: ['app:1'] });
    const to = await newLayout();
    const { images } = await save({ from: { archive }, to });
    expect(images).toMatchObject([{ id: APP.configDigest, name: 'app:1' }]);
    expect(await annotationsOf(to)).not.toHaveProperty(OMITTED);
  });

  test('is copied whole out of both, and as it is alone', async () => {
    const whole = await newLayout();
    await save({ from: joinPlaces([layout, base]), images: ['app:1'], to: whole });
    expect(await annotationsOf(whole)).not.toHaveProperty(OMITTED);
    expect(readdirSync(whole.path)).toContain('manifest.json');
    expect(await verify({ layout: whole })).toMatchObject({ problems: [], omitted: { layers: 0 } });
    const thin = await newLayout();
    const { images, bytes } = await save({ from: layout, to: thin });
    expect(images[0]?.layers.map(({ status }) => status)).toEqual(['omitted', 'omitted', 'written']);
    expect(bytes.omitted).toBeGreaterThan(0);
    expect(await annotationsOf(thin)).toMatchObject({ [OMITTED]: '2' });
  });

  test('is completed in place from the other layout', async () => {
    const { bytes } = await fetchImages({
      from: [layout, base],
      images: ['app:1'],
      to: layout,
      complete: noBase,
    });
    expect(bytes.fetched).toBeGreaterThan(0);
    expect(await annotationsOf(layout)).not.toHaveProperty(OMITTED);
    expect(readdirSync(layout.path)).toContain('manifest.json');
    expect(await verify({ layout })).toMatchObject({ problems: [], omitted: { layers: 0 } });
  });

  test('is fetched as it is, also where the other is near', async () => {
    const to = await newLayout();
    const near = { ...joinPlaces([layout, base]), images: async () => layout.images() };
    await fetchImages({ from: [near], to });
    expect(await annotationsOf(to)).toMatchObject({ [OMITTED]: '2' });
    expect(await blobsOf(to)).toHaveLength(3);
  });
});

import { readdir, readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { exportArchive } from '../../../src/verbs/export.ts';
import { images as imagesOf } from '../../../src/image/image.ts';
import { inspect } from '../../../src/verbs/inspect.ts';
import { Layout } from '../../../src/layout/layout.ts';
import { Transaction } from '../../../src/layout/transaction.ts';
import { save } from '../../../src/verbs/save/save.ts';
import { joinPlaces } from '../../../src/select/places.ts';
import { verify } from '../../../src/verbs/verify/verify.ts';
import { carriedLayers, fixtureArchive, fixturePath } from '../../support/fixtures.ts';
import { listFiles } from '../../support/list-files.ts';
import { BLOCK, blocks, frameHeader, zeros } from '../../stream/zstd-bytes.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

interface Expected {
  form: string;
  images: { tags: string[]; configDigest?: string; diffIds?: string[]; incomplete?: string[] }[];
  manifests?: { children?: { configDigest?: string; diffIds?: string[] }[] }[];
}
const expected = JSON.parse(await readFile(fixturePath('expected.json'), 'utf8')) as Record<string, Expected>;
const namesOf = async (place: Layout) =>
  (await inspect({ from: [place] })).images.flatMap((image) => image.names);
const blobs = async (place: Layout) => (await listFiles(`${place.path}/blobs`)).map(({ path }) => path);

const archives = Object.entries(expected).filter(
  ([, { form, images }]) =>
    form !== 'oci-layout' && images.every(({ incomplete }) => incomplete === undefined),
);

test.each(archives)(
  '%s goes into a layout, verifies, and comes out again with the same images',
  async (name, { images, manifests }) => {
    const folder = await temporaryFolder();
    const layout = await Layout.create(`${folder}/layout`);
    const result = await save({ from: fixtureArchive(name), to: layout });
    const wanted = images.map((image) => ({
      id: image.configDigest,
      diffIds: carriedLayers(image, { manifests }),
    }));
    const got = (saved: typeof result) =>
      saved.images.map(({ id, layers }) => ({ id, diffIds: layers.map(({ diffId }) => diffId) }));
    expect(new Set(got(result).map((image) => JSON.stringify(image)))).toEqual(
      new Set(wanted.map((image) => JSON.stringify(image))),
    );
    const checked = await verify({ layout });
    expect(checked.problems).toEqual([]);
    const back = await Layout.create(`${folder}/back`);
    const again = await save({ from: { archive: await exportArchive({ from: [layout] }) }, to: back });
    // A docker archive holds one platform of each image.
    const exported = images.map(({ configDigest, diffIds }) => ({ id: configDigest, diffIds }));
    expect(new Set(got(again).map((image) => JSON.stringify(image)))).toEqual(
      new Set(exported.map((image) => JSON.stringify(image))),
    );
    expect(new Set(await namesOf(back))).toEqual(new Set(await namesOf(layout)));
  },
);

test('an archive with a large zstd window leaves the same content as without', async () => {
  const folder = await temporaryFolder();
  const [plain, large] = [await Layout.create(`${folder}/plain`), await Layout.create(`${folder}/large`)];
  await save({ from: fixtureArchive('demo.tar'), to: plain });
  const bytes = await readFile(fixturePath('demo.tar'));
  const parts = Array.from({ length: Math.ceil(bytes.length / BLOCK) }, (_, i) =>
    bytes.subarray(i * BLOCK, (i + 1) * BLOCK),
  );
  // The zeros after its end make it so long that it is not decompressed in one call.
  const frame = [frameHeader({ windowLog: 27 }), blocks(...parts, ...zeros(8 * BLOCK))];
  const spool = vi.spyOn(Transaction.prototype, 'spool');
  const begin = vi.spyOn(Transaction.prototype, 'begin');
  onTestFinished(() => void vi.restoreAllMocks());
  await save({ from: { archive: Readable.from(frame) }, to: large });
  // The archive itself is no blob: none is made for it.
  const atOnce = begin.mock.calls.length;
  await save({ from: fixtureArchive('demo.tar'), to: await Layout.create(`${folder}/again`) });
  expect([spool.mock.calls.length, begin.mock.calls.length - atOnce]).toEqual([1, atOnce]);
  expect(await blobs(large)).toEqual(await blobs(plain));
  expect((await readdir(folder)).toSorted()).toEqual(['again', 'large', 'plain']);
});

test('an archive with missing content leaves nothing behind', async () => {
  const folder = await temporaryFolder();
  const layout = await Layout.create(`${folder}/layout`);
  const before = await listFiles(folder);
  await expect(
    save({ from: fixtureArchive('docker-28-containerd-incomplete.tar'), to: layout }),
  ).rejects.toMatchObject({ code: 'INCOMPLETE' });
  expect(await listFiles(folder)).toEqual(before);
});

test('images are chosen by name, and the others are not stored', async () => {
  const folder = await temporaryFolder();
  const layout = await Layout.create(`${folder}/layout`);
  const all = await Layout.create(`${folder}/all`);
  await save({ from: fixtureArchive('demo.tar'), to: all });
  await save({ from: fixtureArchive('demo.tar'), to: layout, images: ['drayage-demo/worker:1.0'] });
  expect((await layout.images()).map(({ names }) => names)).toEqual([['drayage-demo/worker:1.0']]);
  expect((await blobs(layout)).length).toBeLessThan((await blobs(all)).length);
});

test('an unknown name of an archive is an error that lists those it has', async () => {
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  await expect(
    save({ from: fixtureArchive('demo.tar'), to: layout, images: ['nope'] }),
  ).rejects.toMatchObject({
    code: 'NOT_FOUND',
    facts: { candidates: ['drayage-demo/api:1.0', 'drayage-demo/worker:1.0'] },
  });
});

test('an image of an archive is chosen by its ID, and keeps its name', async () => {
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  const [image] = expected['demo.tar']?.images ?? [];
  const id = image?.configDigest ?? '';
  const { images } = await save({ from: fixtureArchive('demo.tar'), to: layout, images: [id] });
  expect(images).toMatchObject([{ id, name: 'drayage-demo/api:1.0' }]);
});

test('one name stands for the images of two platforms', async () => {
  const folder = await temporaryFolder();
  const layout = await Layout.create(`${folder}/layout`);
  await save({ from: fixtureArchive('docker-28-containerd-platforms.tar'), to: layout });
  const [image] = await layout.images();
  const apart = await Layout.create(`${folder}/apart`);
  for await (const { manifest } of imagesOf(layout, image?.root ?? expect.fail())) {
    const source = joinPlaces([layout]);
    const one = {
      ...source,
      images: async () => [{ root: manifest.descriptor, names: ['temp:1'], annotations: {} }],
    };
    await save({ from: one, to: apart });
  }
  expect((await apart.images()).map(({ names, root }) => [names, root.platform?.architecture])).toEqual([
    [['temp:1'], expect.any(String)],
    [['temp:1'], expect.any(String)],
  ]);
});

test('a copy keeps what the image was annotated with', async () => {
  const folder = await temporaryFolder();
  const source = await Layout.create(`${folder}/source`);
  const target = await Layout.create(`${folder}/target`);
  const annotations = { 'dev.drayage.gitlab.pipeline-id': '77' };
  const first = await save({ from: fixtureArchive('demo.tar'), to: source, annotations });
  const second = await save({ from: source, to: target });
  expect(second.images.map(({ ref }) => ref)).toEqual(first.images.map(({ ref }) => ref));
});

test('annotations say who saved an image and when it was built', async () => {
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  const annotations = { 'dev.drayage.gitlab.pipeline-id': '4711' };
  const { images } = await save({ from: fixtureArchive('demo.tar'), to: layout, annotations });
  const [stored] = await layout.images();
  expect(stored?.annotations).toMatchObject(annotations);
  expect(stored?.annotations['org.opencontainers.image.created']).toMatch(/^20\d\d-/);
  expect(images[0]?.ref).toBe(`drayage-demo/api:pipeline-4711-${images[0]?.id.slice(7, 19)}`);
});

test('a layout is copied byte for byte into another', async () => {
  const folder = await temporaryFolder();
  const source = await Layout.create(`${folder}/source`);
  const target = await Layout.create(`${folder}/target`);
  await save({ from: fixtureArchive('docker-28-containerd-attestation.tar'), to: source });
  const copied = await save({ from: source, to: target });
  expect(copied.images.map(({ digest }) => digest)).toEqual(
    (await source.images()).map(({ root }) => root.digest),
  );
  expect(await blobs(target)).toEqual(await blobs(source));
  expect((await verify({ layout: target })).problems).toEqual([]);
  const again = await save({ from: source, to: target });
  expect(again.bytes).toMatchObject({ written: 0, read: 0 });
});

test('a layer that is held compressed is not stored again where no compression is asked for', async () => {
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  const first = await save({ from: fixtureArchive('docker-20.10.tar'), to: layout, compress: 'gzip' });
  const before = await blobs(layout);
  const { bytes, images } = await save({
    from: fixtureArchive('docker-20.10.tar'),
    to: layout,
    compress: 'none',
  });
  expect(images.map(({ digest }) => digest)).toEqual(first.images.map(({ digest }) => digest));
  expect(bytes).toMatchObject({ written: 0, total: first.bytes.total });
  expect(await blobs(layout)).toEqual(before);
});

test('saving the same archive again writes nothing', async () => {
  const folder = await temporaryFolder();
  const layout = await Layout.create(`${folder}/layout`);
  await save({ from: fixtureArchive('docker-20.10.tar'), to: layout });
  const before = await listFiles(folder);
  const again = await save({ from: fixtureArchive('docker-20.10.tar'), to: layout });
  expect(again.bytes.written).toBe(0);
  expect(await listFiles(folder)).toEqual(before);
});

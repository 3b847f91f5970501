import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { connectDocker } from '../../../src/docker/daemon.ts';
import { Layout } from '../../../src/layout/layout.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { save } from '../../../src/verbs/save/save.ts';
import { FakeContentStore } from '../../support/fake-content-store.ts';
import { FakeDaemon } from '../../support/fake-daemon.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { makeCargo, makeIndexCargo } from '../cargo.ts';

const FIRST = makeCargo({ layers: ['base', 'first'] });
const SECOND = makeCargo({ layers: ['base', 'second'] });
const ARM = makeCargo({ layers: ['arm'], architecture: 'arm64' });
const BOTH = makeIndexCargo([makeCargo({ layers: ['amd'] }), ARM], ['amd64', 'arm64']);
const ABSENT = `sha256:${'0'.repeat(64)}`;

/** A containerd store with three images. */
async function start({ apiVersion = '1.51', stated }: { apiVersion?: string; stated?: Digest } = {}) {
  const fake = await FakeDaemon.start({ kind: 'containerd', apiVersion });
  const store = new FakeContentStore(fake, [
    [FIRST, 'first:1'],
    [SECOND, 'second:1'],
    [BOTH, 'both:1'],
  ]);
  if (stated !== undefined) state(fake, SECOND.root.digest, stated);
  return { fake, store, daemon: await connectDocker({ host: fake.host }) };
}

/** Has a manifest state the digest of its config, as BuildKit does. */
function state(fake: FakeDaemon, id: string, config: Digest): void {
  const { extra } = fake.images.find((image) => image.id === id) ?? {};
  const [manifest] = (extra?.['Manifests'] ?? []) as { Descriptor: object }[];
  if (manifest !== undefined)
    Object.assign(manifest.Descriptor, { annotations: { 'config.digest': config } });
}

const configOf = (cargo: { configDigest: string }): Digest => cargo.configDigest as Digest;

test.each([
  ['whole', configOf(SECOND)],
  ['shortened', configOf(SECOND).slice(0, 20)],
  ['shortened, without its algorithm', configOf(SECOND).slice(7, 19)],
])('an image of a containerd store is found by the digest of its config, %s', async (_, text) => {
  const { fake, daemon } = await start();
  expect((await daemon.inspect(text)).id).toBe(SECOND.root.digest);
  await daemon.close();
  expect(fake.images).toHaveLength(3);
});

test('an index is found by the config of an image in it', async () => {
  const { daemon } = await start();
  expect((await daemon.inspect(configOf(ARM))).id).toBe(BOTH.root.digest);
});

test('everything that is done with an image is done by the digest of its config as well', async () => {
  const { fake, daemon } = await start();
  await daemon.tag(configOf(FIRST), 'third:1');
  expect((await daemon.inspect('third:1')).id).toBe(FIRST.root.digest);
  expect((await buffer(await daemon.save(configOf(FIRST)))).length).toBeGreaterThan(0);
  await daemon.remove(configOf(SECOND));
  expect(fake.images.map(({ id }) => id)).toEqual([FIRST.root.digest, BOTH.root.digest]);
});

test('an image that is saved by the digest of its config has no name', async () => {
  const { daemon } = await start();
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  const { images } = await save({ from: daemon, images: [configOf(FIRST)], to: layout });
  expect(images).toMatchObject([{ id: configOf(FIRST), digest: FIRST.root.digest, name: null }]);
});

test('a manifest that states its config is read first, and not believed', async () => {
  const told = await start({ stated: configOf(SECOND) });
  expect((await told.daemon.inspect(configOf(SECOND))).id).toBe(SECOND.root.digest);
  const lying = await start({ stated: configOf(FIRST) });
  expect((await lying.daemon.inspect(configOf(FIRST))).id).toBe(FIRST.root.digest);
});

test.each([
  ['a daemon that has none', {}, ABSENT],
  ['a daemon that does not say what it holds', { apiVersion: '1.47' }, configOf(FIRST)],
])('%s has no image with that config', async (_, options, digest) => {
  const { fake, daemon } = await start(options);
  await expect(daemon.inspect(digest)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(fake.images).toHaveLength(3);
});

test('a name asks for no manifests', async () => {
  const { fake, daemon } = await start();
  await expect(daemon.inspect('fourth:1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(fake.lines.filter((line) => line.includes('manifests=1') || line.startsWith('POST'))).toEqual([]);
});

/** How many requests it takes to find the last of n images by its config. */
async function requestsFor(n: number): Promise<number> {
  const fake = await FakeDaemon.start({ kind: 'containerd', apiVersion: '1.51' });
  const cargos = Array.from({ length: n }, (_, i) => makeCargo({ layers: [`layer ${i}`] }));
  void new FakeContentStore(
    fake,
    cargos.map((cargo, i) => [cargo, `app:${i}`]),
  );
  await using daemon = await connectDocker({ host: fake.host });
  const last = cargos.at(-1) ?? expect.fail();
  expect((await daemon.inspect(configOf(last))).id).toBe(last.root.digest);
  return fake.lines.length;
}

test('an image is found among any number of others, with requests in proportion', async () => {
  const [once, twice] = [await requestsFor(300), await requestsFor(600)];
  expect(twice).toBeGreaterThan(once);
  expect(twice).toBeLessThanOrEqual(2 * once);
});

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { syncBuiltinESMExports } from 'node:module';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { DockerDaemon } from '../../src/docker/daemon.ts';
import { connectDocker } from '../../src/docker/daemon.ts';
import { DrayageError } from '../../src/errors.ts';
import { digestHex } from '../../src/oci/digest.ts';
import { copy } from '../../src/verbs/copy.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo } from '../docker/cargo.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { FakeContentStore } from '../support/fake-content-store.ts';
import { FakeDaemon, json } from '../support/fake-daemon.ts';

const KINDS = ['graph', 'containerd', 'podman'] as const;
const LAYERS = ['base', 'middle', 'top'];
const SAVE = 'GET /images/get';
const LOAD = 'POST /images/load';

/** As a containerd store saves it: its blobs in this order, then the index. */
function ociArchive({ root, source }: TestCargo, order: 'upwards' | 'downwards' = 'upwards'): Buffer {
  const blobs = [...source.blobs].map(([digest, bytes]) =>
    entry(`blobs/sha256/${digestHex(digest)}`, Buffer.from(bytes)),
  );
  return tar(
    ...(order === 'upwards' ? blobs : blobs.toReversed()),
    entry('index.json', JSON.stringify({ schemaVersion: 2, manifests: [root] })),
    entry('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
  );
}

/** As docker 20.10 saves it: the names of the entries say nothing of their content. */
function v1Archive({ configDigest, layers, source }: TestCargo): Buffer {
  const bytesOf = (digest: TestCargo['configDigest']): Buffer => Buffer.from(source.blobs.get(digest) ?? []);
  const names = layers.map((_, i) => `${String(9 - i).repeat(64)}/layer.tar`);
  const config = `${digestHex(configDigest)}.json`;
  return tar(
    ...layers.map(({ digest }, i) => entry(names[i] ?? '', bytesOf(digest))).toReversed(),
    entry(config, bytesOf(configDigest)),
    entry('manifest.json', JSON.stringify([{ Config: config, RepoTags: null, Layers: names }])),
  );
}

/** A daemon that gives out these archives, one after the other; the last one again and again. */
async function daemonGiving(
  cargo: TestCargo,
  ...archives: readonly Buffer[]
): Promise<[FakeDaemon, DockerDaemon]> {
  const images = [{ id: cargo.configDigest, names: ['app:1'], diffIds: cargo.diffIds }];
  const fake = await FakeDaemon.start({ images });
  const left = [...archives];
  fake.handlers.set(SAVE, (_, response) => void response.end(left.length > 1 ? left.shift() : left[0]));
  return [fake, await connectDocker({ host: fake.host })];
}

async function receiver(kind: (typeof KINDS)[number]): Promise<[FakeDaemon, DockerDaemon]> {
  const fake = await FakeDaemon.start({ kind });
  return [fake, await connectDocker({ host: fake.host })];
}

function count({ lines }: FakeDaemon, route: string): number {
  return lines.filter((line) => line.startsWith(route)).length;
}

/** The files and folders that this process makes or opens to write, from now on. */
function writtenFiles(): string[] {
  const written: string[] = [];
  const spies = [
    vi.spyOn(fs.promises, 'mkdir'),
    vi.spyOn(fs.promises, 'mkdtemp'),
    vi.spyOn(fs.promises, 'writeFile'),
    vi.spyOn(fs, 'createWriteStream'),
    vi.spyOn(fs.promises, 'open'),
  ];
  for (const spy of spies)
    spy.mockImplementation((...given) => {
      written.push(inspect(given[0]));
      throw new Error('no file may be written');
    });
  syncBuiltinESMExports();
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore();
    syncBuiltinESMExports();
  });
  return written;
}

describe.each(KINDS)('a copy from a daemon to a %s daemon', (kind) => {
  test.each<[string, (cargo: TestCargo) => Buffer, boolean]>([
    ['with its layers bottom first', (cargo) => ociArchive(cargo), true],
    ['with its layers top first', (cargo) => ociArchive(cargo, 'downwards'), true],
    ['with uncompressed layers', (cargo) => ociArchive(cargo), false],
    ['of docker 20.10', v1Archive, false],
  ])('reads the archive %s twice, and writes no file', async (_, archive, compress) => {
    const cargo = makeCargo({ layers: LAYERS, compress });
    const [sender, from] = await daemonGiving(cargo, archive(cargo));
    const [fake, to] = await receiver(kind);
    const written = writtenFiles();
    const { images } = await copy({ from, images: ['app:1'], to });
    expect(images).toMatchObject([{ name: 'app:1', id: cargo.configDigest }]);
    expect(await to.inspect('app:1')).toMatchObject({ diffIds: cargo.diffIds });
    expect(fake.images).toHaveLength(1);
    expect(count(sender, SAVE)).toBe(2);
    expect(written).toEqual([]);
  });

  test('sends only what the receiver lacks', async () => {
    const [base, cargo] = [makeCargo({ layers: ['base', 'middle'] }), makeCargo({ layers: LAYERS })];
    const [fake, to] = await receiver(kind);
    await to.load(base.root, base.source, ['base:1']);
    const [, from] = await daemonGiving(cargo, ociArchive(cargo));
    await copy({ from, images: ['app:1'], to });
    const sent = (fake.loads.at(-1) ?? []).filter((name) => isLayer(cargo, name));
    expect(sent).toHaveLength(1);
  });

  test('asks the sender once for an image that the receiver has', async () => {
    const cargo = makeCargo({ layers: LAYERS });
    const [, to] = await receiver(kind);
    await to.load(cargo.root, cargo.source, ['app:0']);
    const [sender, from] = await daemonGiving(cargo, ociArchive(cargo));
    await copy({ from, images: ['app:1'], to });
    expect(count(sender, SAVE)).toBe(1);
    expect(await to.inspect('app:1')).toMatchObject({ diffIds: cargo.diffIds });
  });

  test('sends nothing of a layer that is another than its config names', async () => {
    const cargo = makeCargo({ layers: LAYERS, misnamed: true });
    const [, from] = await daemonGiving(cargo, ociArchive(cargo));
    const [fake, to] = await receiver(kind);
    await expect(copy({ from, images: ['app:1'], to })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(count(fake, LOAD)).toBe(0);
  });

  test('cuts the archive if the second one holds other bytes', async () => {
    const cargo = makeCargo({ layers: LAYERS, compress: false });
    const archive = ociArchive(cargo);
    const damaged = Buffer.from(archive);
    damaged.write('MIDDLE', damaged.indexOf('middle', 0, 'latin1'), 'latin1');
    const [, from] = await daemonGiving(cargo, archive, damaged);
    const [fake, to] = await receiver(kind);
    await expect(copy({ from, images: ['app:1'], to })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    const loads = fake.seen.filter(({ line }) => line.includes('/images/load'));
    await expect.poll(() => loads.at(-1)?.body).toBe('cut');
    expect(fake.images.filter(({ names }) => names.includes('app:1'))).toEqual([]);
  });

  test('fails if the second archive lacks a layer', async () => {
    const [cargo, other] = [makeCargo({ layers: LAYERS }), makeCargo({ layers: ['base', 'middle'] })];
    const [, from] = await daemonGiving(cargo, ociArchive(cargo), ociArchive(other));
    const [, to] = await receiver(kind);
    await expect(copy({ from, images: ['app:1'], to })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(to.inspect('app:1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('asks the policy before anything is sent', async () => {
    const cargo = makeCargo({ layers: LAYERS });
    const [, from] = await daemonGiving(cargo, ociArchive(cargo));
    const [fake, to] = await receiver(kind);
    const policy = {
      choose: () => {
        throw new DrayageError('POLICY', 'not this one');
      },
      check: () => {},
    };
    await expect(copy({ from, images: ['app:1'], to, policy })).rejects.toMatchObject({ code: 'POLICY' });
    expect(count(fake, LOAD)).toBe(0);
  });
});

test('several images that share layers pass one after the other', async () => {
  const [one, two] = [makeCargo({ layers: ['base', 'one'] }), makeCargo({ layers: ['base', 'two'] })];
  const [sender, from] = await daemonGiving(one);
  sender.images.push({ id: two.configDigest, names: ['app:2'], diffIds: two.diffIds });
  sender.handlers.set(SAVE, ({ url = '' }, response) => {
    response.end(ociArchive(url.includes(encodeURIComponent(one.configDigest)) ? one : two));
  });
  const [fake, to] = await receiver('graph');
  const { images } = await copy({ from, images: ['app:1', 'app:2'], to });
  expect(images.map(({ id }) => id)).toEqual([one.configDigest, two.configDigest]);
  expect(fake.images.map(({ id }) => id)).toEqual([one.configDigest, two.configDigest]);
  for (const { configDigest } of [one, two])
    expect(count(sender, `${SAVE}?names=${encodeURIComponent(configDigest)}`)).toBe(2);
});

test('a containerd store sends again only the layers from the first missing one on', async () => {
  const [base, cargo] = [
    makeCargo({ layers: ['base', 'middle'] }),
    makeCargo({ layers: [...LAYERS, 'last'] }),
  ];
  const sender = await FakeDaemon.start({ kind: 'containerd' });
  const store = new FakeContentStore(sender, [[cargo, 'app:1']]);
  const from = await connectDocker({ host: sender.host });
  const [, to] = await receiver('graph');
  await to.load(base.root, base.source, ['base:1']);
  await copy({ from, images: ['app:1'], to });
  const layers = cargo.layers.map(({ digest }) => digest);
  const given = store.given.map((digests) => layers.filter((digest) => digests.includes(digest)));
  expect(given.filter(({ length }) => length > 0)).toEqual([layers, layers.slice(2)]);
  expect(await to.inspect('app:1')).toMatchObject({ diffIds: cargo.diffIds });
});

test('a large layer before a tiny one costs no further archive', async () => {
  const large = randomBytes(24 * 1024 * 1024);
  const cargo = makeCargo({ layers: [large, 'tiny'] });
  const [sender, from] = await daemonGiving(cargo, ociArchive(cargo));
  const [, to] = await receiver('containerd');
  await copy({ from, images: ['app:1'], to });
  expect(count(sender, SAVE)).toBe(2);
});

test('archives without their end are requested again, too', async () => {
  const cargo = makeCargo({ layers: LAYERS });
  const [sender, from] = await daemonGiving(cargo, ociArchive(cargo).subarray(0, -1024));
  const [, to] = await receiver('graph');
  await copy({ from, images: ['app:1'], to });
  expect(count(sender, SAVE)).toBe(2);
  expect(await to.inspect('app:1')).toMatchObject({ diffIds: cargo.diffIds });
});

test('two images may have one layer in two compressions', async () => {
  const [plain, packed] = [
    makeCargo({ layers: ['base', 'one'], compress: false }),
    makeCargo({ layers: ['base', 'two'] }),
  ];
  const [sender, from] = await daemonGiving(plain);
  sender.images.push({ id: packed.configDigest, names: ['app:2'], diffIds: packed.diffIds });
  sender.handlers.set(SAVE, ({ url = '' }, response) => {
    response.end(ociArchive(url.includes(encodeURIComponent(plain.configDigest)) ? plain : packed));
  });
  const [fake, to] = await receiver('graph');
  await copy({ from, images: ['app:2', 'app:1'], to });
  expect(fake.images.map(({ id }) => id)).toEqual([packed.configDigest, plain.configDigest]);
});

test('an abort ends the requests of both daemons', async () => {
  const cargo = makeCargo({ layers: [Buffer.alloc(3 * 1024 * 1024, 'a'), 'top'], compress: false });
  const archive = ociArchive(cargo);
  const [sender, from] = await daemonGiving(cargo, archive);
  const [, to] = await receiver('graph');
  const stop = new AbortController();
  let requests = 0;
  sender.handlers.set(SAVE, (_, response) => {
    requests += 1;
    // The second one stays open in the middle of a layer.
    if (requests === 1) response.end(archive);
    else response.write(archive.subarray(0, 1024 * 1024), () => stop.abort(new Error('enough')));
  });
  const copied = copy({ from, images: ['app:1'], to, signal: stop.signal });
  await expect(copied).rejects.toThrow('enough');
  await vi.waitFor(() => expect(sender.cut(SAVE)).toBe(1));
  await expect(to.inspect('app:1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a receiver that fails ends a request that the sender has not answered', async () => {
  const cargo = makeCargo({ layers: LAYERS });
  const [sender, from] = await daemonGiving(cargo);
  const [fake, to] = await receiver('graph');
  let loading: ServerResponse | undefined;
  fake.handlers.set(LOAD, (request, response) => fake.serve(request, (loading = response)));
  sender.handlers.set(SAVE, (_, response) => {
    // The second one is packed without end.
    if (count(sender, SAVE) === 1) response.end(ociArchive(cargo));
    else if (loading !== undefined) json(loading, { message: 'no space left on device' }, 500);
  });
  await expect(copy({ from, images: ['app:1'], to })).rejects.toThrow('no space left');
  await vi.waitFor(() => expect(sender.cut(SAVE)).toBe(1));
});

test('what is no layer and does not fit into memory needs a store on the way', async () => {
  const cargo = makeCargo({ layers: LAYERS });
  const archive = ociArchive(cargo);
  const large = tar(entry('README', Buffer.alloc(65 * 1024 * 1024, 'no tar ')));
  const [, from] = await daemonGiving(cargo, Buffer.concat([large.subarray(0, -1024), archive]));
  const [, to] = await receiver('graph');
  const copied = copy({ from, images: ['app:1'], to });
  await expect(copied).rejects.toMatchObject({
    code: 'LIMIT',
    facts: { hint: expect.stringContaining('through') },
  });
});

function isLayer({ layers, diffIds }: TestCargo, name: string): boolean {
  return [...layers.map(({ digest }) => digest), ...diffIds].some((digest) =>
    name.includes(digestHex(digest)),
  );
}

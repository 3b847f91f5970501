import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { appendLayer } from '../../examples/append-layer.ts';
import { compareDaemons } from '../../examples/compare-daemons.ts';
import { daemonToDaemon } from '../../examples/daemon-to-daemon.ts';
import { saveStep } from '../../examples/github-action.ts';
import { httpStore } from '../../examples/http-store.ts';
import { mirror } from '../../examples/mirror.ts';
import { saveWithBar } from '../../examples/progress.ts';
import { attachSbom, findSboms } from '../../examples/sbom.ts';
import { startFromJob } from '../../examples/testcontainers.ts';
import { approve, loadApproved } from '../../examples/verifier.ts';
import { readImage } from '../../src/exports/image.ts';
import { addSample, imageStoreContract, sampleImage } from '../../src/exports/testing.ts';
import {
  cis,
  copy,
  expectationsOf,
  exportArchive,
  Layout,
  load,
  MemoryStore,
  originPolicy,
  Registries,
} from '../../src/index.ts';
import type { ImageStore } from '../../src/index.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo } from '../docker/cargo.ts';
import { always, PLANTED } from '../registry/registries.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { githubJob } from '../support/github-job.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { ServerFaults } from './object-server.ts';
import { startObjectServer } from './object-server.ts';

const FOLDER = new URL('../../examples/', import.meta.url);
const CARGO = makeCargo({ layers: ['base', 'app'], compress: false });
const OTHER = makeCargo({ layers: ['base', 'other'], compress: false, labels: { edition: 'other' } });
const APP = sampleImage(['base', 'app']);

/** A store with one image. */
async function holding({ root, source }: TestCargo, name: string): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.update(async (transaction) => {
    for (const [digest, bytes] of source.blobs)
      await transaction.put({ mediaType: '', digest, size: bytes.length }, once(bytes));
    transaction.add(root, [name], {});
  });
  return store;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** A daemon with one image, which it gives out. */
async function daemonWith(cargo: TestCargo, name: string): Promise<FakeDaemon> {
  const images = [{ id: cargo.configDigest, names: [name], diffIds: cargo.diffIds }];
  const fake = await FakeDaemon.start({ images });
  const archive = await buffer(await exportArchive({ from: [await holding(cargo, name)] }));
  fake.handlers.set('GET /images/get', (_, response) => void response.end(archive));
  return fake;
}

async function layoutFolder(): Promise<string> {
  return join(await temporaryFolder(), 'layout');
}

describe('an example', () => {
  test.each(readdirSync(FOLDER))('%s has at most 40 lines', (name) => {
    const lines = readFileSync(new URL(name, FOLDER), 'utf8').trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(lines[0]).toMatch(/^\/\/ [A-Z].+\.$/);
  });
});

describe('progress.ts', () => {
  test('draws what is done, of how much', async () => {
    const { host } = await daemonWith(CARGO, 'app:1');
    const lines: string[] = [];
    const { images } = await saveWithBar(host, 'app:1', await layoutFolder(), (line) => lines.push(line));
    expect(images).toMatchObject([{ name: 'app:1', id: CARGO.configDigest }]);
    expect(lines.some((line) => /^reading \d\/(\d|\?) layers, 0\.0 MB$/.test(line))).toBe(true);
    expect(lines.at(-1)).toMatch(/^\w+ 2\/2 layers/);
  });

  test('is cancelled by its signal, and leaves nothing', async () => {
    const { host } = await daemonWith(CARGO, 'app:1');
    const [stop, folder] = [new AbortController(), await layoutFolder()];
    const saved = saveWithBar(host, 'app:1', folder, () => stop.abort(new Error('enough')), stop.signal);
    await expect(saved).rejects.toThrow('enough');
    expect(await (await Layout.create(folder)).images()).toEqual([]);
  });
});

describe('http-store.ts is a store:', () => {
  test.each(imageStoreContract(async () => httpStore(await startObjectServer())))('$name', ({ run }) =>
    run(),
  );

  test.each<[string, (store: ImageStore) => Promise<unknown>]>([
    ['has', (store) => store.has(CARGO.root)],
    ['open', (store) => store.open(CARGO.root)],
    ['images', (store) => store.images()],
    ['update', (store) => store.update(async () => {})],
  ])('an answer of 500 is an error, no absence: %s', async (_, ask) => {
    const faults: ServerFaults = {};
    const store = httpStore(await startObjectServer(faults));
    await copy({ from: await holding(CARGO, 'app:1'), to: store });
    faults.once = 500;
    await expect(ask(store)).rejects.toMatchObject({ code: 'IO', message: expect.stringContaining('500') });
    await ask(store);
  });

  test('a failed swap of the index is no change by others', async () => {
    const faults: ServerFaults = {};
    const store = httpStore(await startObjectServer(faults));
    const failing = store.update(async () => void (faults.once = 500));
    await expect(failing).rejects.toMatchObject({ code: 'IO' });
    const other = store.update(async () => void (faults.once = 412));
    await expect(other).rejects.toMatchObject({ code: 'LOCKED' });
  });

  test('a server without ETags or ranges is refused', async () => {
    const store = httpStore(await startObjectServer({ withoutEtags: true, withoutRanges: true }));
    await copy({ from: await holding(CARGO, 'app:1'), to: store });
    await expect(store.images()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await expect(store.open(CARGO.root, { offset: 5 })).rejects.toMatchObject({ code: 'IO' });
  });

  test('another program reads what it wrote', async () => {
    const url = await startObjectServer();
    await copy({ from: await holding(CARGO, 'app:1'), to: httpStore(url) });
    expect(await httpStore(url).images()).toMatchObject([{ names: ['app:1'], root: CARGO.root }]);
  });
});

test('daemon-to-daemon.ts copies an image', async () => {
  const [from, to] = [await daemonWith(CARGO, 'app:1'), await FakeDaemon.start()];
  const { images } = await daemonToDaemon(from.host, to.host, 'app:1');
  expect(images).toMatchObject([{ name: 'app:1', id: CARGO.configDigest }]);
  expect(to.images).toMatchObject([{ id: CARGO.configDigest }]);
});

describe('verifier.ts', () => {
  test('loads what was approved with the key, and nothing else', async () => {
    const store = await holding(CARGO, 'app:1');
    const to = new MemoryEndpoint();
    const options = { from: [store], to };
    await expect(loadApproved(options, 'key')).rejects.toMatchObject({ code: 'POLICY' });
    const [image] = await store.images();
    if (image !== undefined) await approve(store, image, 'key');
    await expect(loadApproved(options, 'another key')).rejects.toMatchObject({ code: 'POLICY' });
    expect(to.loads).toEqual([]);
    expect((await loadApproved(options, 'key')).images).toMatchObject([{ id: CARGO.configDigest }]);
  });
});

test("testcontainers.ts starts a container of the job's image", async () => {
  const [folder, daemon] = [await layoutFolder(), await FakeDaemon.start()];
  await copy({ from: await holding(CARGO, 'app:1'), to: await Layout.create(folder) });
  class Container {
    readonly #image: string;
    constructor(image: string) {
      this.#image = image;
    }
    start = async (): Promise<string> => this.#image;
  }
  const started = await startFromJob(folder, 'app:1', Container, { DOCKER_HOST: daemon.host });
  expect(daemon.images[0]).toMatchObject({
    id: CARGO.configDigest,
    names: expect.arrayContaining([started]),
  });
});

test('append-layer.ts puts a tar on top', async () => {
  const store = await holding(CARGO, 'base:1');
  const file = join(await temporaryFolder(), 'app.tar');
  await writeFile(file, tar(entry('app', 'a program')));
  const digest = await appendLayer(store, 'base:1', file, 'app:1', ['/app']);
  const [{ root }] = await store.resolve('app:1');
  expect(root.digest).toBe(digest);
  const { config, layers } = await readImage(store, root);
  expect(layers).toHaveLength(3);
  expect(config.value.config).toMatchObject({ Cmd: ['/app'] });
});

test('sbom.ts attaches an SBOM and finds it', async () => {
  const store = await holding(CARGO, 'app:1');
  expect(await findSboms(store, 'app:1')).toEqual([]);
  await attachSbom(store, 'app:1', { spdxVersion: 'SPDX-2.3' });
  expect(await findSboms(store, 'app:1')).toEqual([{ spdxVersion: 'SPDX-2.3' }]);
});

test('mirror.ts copies from registry to registry', async () => {
  const [from, to] = [await FakeRegistry.start(), await FakeRegistry.start()];
  const store = new MemoryStore();
  await store.update((transaction) => addSample(transaction, APP, ['app:1']));
  const ref = `${from.host}/group/app:1`;
  await using registries = new Registries(async () => ({ credentials: always(PLANTED) }));
  await copy({ from: store, to: { registries, tags: [ref] } });
  const mirrored = await mirror([ref], to.host, always(PLANTED));
  expect(mirrored).toEqual([`${to.host}/group/app:1`]);
  const { repository, tag } = await registries.tagged(mirrored[0] ?? '');
  expect((await repository.resolve(tag))[0].root.digest).toBe(APP.root.digest);
});

test('compare-daemons.ts says what two daemons have in common', async () => {
  const [a, b] = [await daemonWith(CARGO, 'app:1'), await daemonWith(OTHER, 'app:1')];
  const { layers, config } = await compareDaemons(a.host, b.host, 'app:1');
  expect([layers.shared, layers.onlyA, layers.onlyB].map((each) => each.length)).toEqual([1, 1, 1]);
  expect(config).toMatchObject([{ path: expect.stringContaining('Labels') as string }]);
});

describe('github-action.ts', () => {
  const env = githubJob();

  async function saved(): Promise<{ folder: string; output: string }> {
    const { host } = await daemonWith(CARGO, 'app:1');
    const [folder, output] = [await layoutFolder(), join(await temporaryFolder(), 'output')];
    await saveStep('app:1', folder, { ...env, DOCKER_HOST: host, GITHUB_OUTPUT: output });
    return { folder, output };
  }

  test('gives out what the next job needs', async () => {
    const { folder, output } = await saved();
    const { root, annotations } = (await (await Layout.open(folder)).images())[0] ?? {};
    expect(annotations).toMatchObject({ 'org.opencontainers.image.revision': env['GITHUB_SHA'] });
    expect(await readFile(output, 'utf8')).toContain(`digest=${root?.digest}\n`);
  });

  test('what it saves is loaded by jobs of its workflow run, and by no others', async () => {
    const { folder } = await saved();
    const loaded = async (change: Record<string, string>): ReturnType<typeof load> => {
      const job = githubJob({ GITHUB_JOB: 'test', ...change });
      const origin = cis.find((ci) => ci.isHere(job))?.readOrigin(job);
      const policy = originPolicy(expectationsOf(origin));
      return load({ from: [await Layout.open(folder)], to: new MemoryEndpoint(), policy });
    };
    expect(await loaded({})).toMatchObject({ images: [{ name: 'app:1', id: CARGO.configDigest }] });
    await expect(loaded({ GITHUB_RUN_ID: '78' })).rejects.toMatchObject({ code: 'POLICY' });
  });
});

import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { DockerDaemon } from '../../../src/docker/daemon.ts';
import { connectDocker } from '../../../src/docker/daemon.ts';
import { digestHex } from '../../../src/oci/digest.ts';
import type { FakeOptions, Handler } from '../../support/fake-daemon.ts';
import { FakeDaemon, json } from '../../support/fake-daemon.ts';
import { chainIds } from '../../support/fake-stores.ts';
import type { TestCargo } from '../cargo.ts';
import { makeCargo, makeIndexCargo } from '../cargo.ts';

const KINDS = ['graph', 'containerd', 'podman'] as const;
const LOAD = 'POST /images/load';

async function start(options: FakeOptions): Promise<{ fake: FakeDaemon; daemon: DockerDaemon }> {
  const fake = await FakeDaemon.start(options);
  return { fake, daemon: await connectDocker({ host: fake.host }) };
}

/** Takes the layers of these numbers out of the source: reading one is an error from then on. */
function withhold({ source, layers }: TestCargo, ...numbers: number[]): void {
  for (const i of numbers) source.blobs.delete(layers[i]!.digest);
}

/** The first requests of a route are answered so, the rest as ever. */
function firstOnly(fake: FakeDaemon, route: string, handlers: Handler[]): void {
  fake.handlers.set(route, async (request, response) => {
    const next = handlers.shift();
    if (handlers.length === 0) fake.handlers.delete(route);
    await next?.(request, response);
  });
}

function says(...lines: object[]): Handler {
  return async (request, response) => {
    await buffer(request);
    response.end(lines.map((line) => `${JSON.stringify(line)}\r\n`).join(''));
  };
}

describe.each(KINDS)('a delta load into a %s daemon', (kind) => {
  test('neither reads nor sends the layers that the daemon has', async () => {
    const { fake, daemon } = await start({ kind });
    const base = makeCargo({ layers: ['a', 'b', 'c'] });
    await daemon.load(base.root, base.source, ['base:1']);
    const cargo = makeCargo({ layers: ['a', 'b', 'x'] });
    withhold(cargo, 0, 1);
    const result = await daemon.load(cargo.root, cargo.source, ['app:unique', 'app:1']);
    expect(result).toMatchObject({ status: 'loaded', layersSent: 1, layersPresent: 2 });
    expect(fake.images).toHaveLength(2);
    expect(fake.images[1]).toMatchObject({ names: ['app:unique', 'app:1'], diffIds: cargo.diffIds });
  });

  test('of an image that is there sends nothing, and moves names', async () => {
    const { fake, daemon } = await start({ kind });
    const [old, cargo] = [makeCargo({ layers: ['old'] }), makeCargo()];
    await daemon.load(cargo.root, cargo.source, ['app:unique']);
    const { daemonId } = await daemon.load(old.root, old.source, ['old:unique', 'app:1']);
    withhold(cargo, 0, 1, 2);
    const loads = fake.loads.length;
    const result = await daemon.load(cargo.root, cargo.source, ['app:unique', 'app:1']);
    expect(result).toMatchObject({
      status: 'present',
      layersSent: 0,
      layersPresent: 3,
      bytesSent: 0,
      moved: [{ name: 'app:1', from: daemonId }],
    });
    expect(fake.loads).toHaveLength(loads);
  });

  test('sends everything where that is asked for, and asks nothing', async () => {
    const { fake, daemon } = await start({ kind });
    const cargo = makeCargo();
    await daemon.load(cargo.root, cargo.source, ['app:1']);
    fake.loads.length = 0;
    const result = await daemon.load(cargo.root, cargo.source, ['app:1'], { full: true });
    expect(result).toMatchObject({ status: 'loaded', layersSent: 3, layersPresent: 0 });
    expect(fake.loads).toHaveLength(1);
  });

  test('that is refused is made good by sending everything', async () => {
    const { fake, daemon } = await start({ kind });
    const [base, cargo] = [makeCargo({ layers: ['a'] }), makeCargo({ layers: ['a', 'x'] })];
    await daemon.load(base.root, base.source, ['base:1']);
    const refusal = says({ error: 'layer not found' });
    // Podman is asked otherwise.
    const question: Handler[] = kind === 'podman' ? [] : [async (...exchange) => fake.serve(...exchange)];
    firstOnly(fake, LOAD, [...question, refusal]);
    const result = await daemon.load(cargo.root, cargo.source, ['app:unique']);
    expect(result).toMatchObject({ layersSent: 2, layersPresent: 0 });
    expect(fake.images.map(({ names }) => names)).toEqual([['base:1'], ['app:unique']]);
  });

  test('that fails after all gives moved names back, and leaves no image', async () => {
    const { fake, daemon } = await start({ kind });
    const [base, cargo] = [makeCargo({ layers: ['a'] }), makeCargo({ layers: ['a', 'x'] })];
    await daemon.load(base.root, base.source, ['base:1', 'app:1', 'app:2']);
    fake.handlers.set('POST /images/', async (request, response) => {
      if (request.url?.includes('tag=2') === true && !request.url.includes('base')) {
        fake.handlers.delete('POST /images/');
        json(response, { message: 'no' }, 500);
      } else {
        await fake.serve(request, response);
      }
    });
    const names = ['app:unique', 'app:1', 'app:2'];
    await expect(daemon.load(cargo.root, cargo.source, names)).rejects.toMatchObject({ code: 'DAEMON' });
    const [kept, unique] = fake.images;
    expect(kept?.names.toSorted()).toEqual(['app:1', 'app:2', 'base:1']);
    // It is whole and verified, and another load of the same image may count on it.
    expect(unique?.names).toEqual(['app:unique']);
  });

  test('may be of an image that has a layer twice', async () => {
    const { daemon } = await start({ kind });
    const [base, cargo] = [makeCargo({ layers: ['a', 'b'] }), makeCargo({ layers: ['a', 'b', 'a'] })];
    await daemon.load(base.root, base.source, ['base:1']);
    const result = await daemon.load(cargo.root, cargo.source, ['app:1']);
    expect(cargo.diffIds[2]).toBe(cargo.diffIds[0]);
    // To docker's own store, a layer on top of other layers is another one.
    expect(result.layersSent).toBe(kind === 'graph' ? 1 : 0);
    expect((await daemon.inspect('app:1')).diffIds).toEqual(cargo.diffIds);
  });

  test.each([
    [[{ error: 'layer five is not here' }]],
    [[{ stream: 'Loaded image: app:unique\n' }]],
    [[{ stream: 'hm\n' }]],
    [[{ error: 'open /x/L/9999: no such file or directory' }]],
  ])('sends everything to a daemon that answers %j to what it is asked', async (lines) => {
    const { fake, daemon } = await start({ kind });
    const [base, cargo] = [makeCargo({ layers: ['a'] }), makeCargo({ layers: ['a', 'x'] })];
    await daemon.load(base.root, base.source, ['base:1']);
    const loads = fake.loads.length;
    firstOnly(fake, LOAD, [says(...lines)]);
    const result = await daemon.load(cargo.root, cargo.source, ['app:unique']);
    expect(result).toMatchObject({ layersSent: 2, layersPresent: 0 });
    expect(fake.loads.slice(loads)).toHaveLength(1);
    expect(fake.images[1]?.names).toEqual(['app:unique']);
  });
});

describe('a graph daemon', () => {
  test('with all layers in its build cache takes the question for the load', async () => {
    const { fake, daemon } = await start({ kind: 'graph' });
    const cargo = makeCargo();
    for (const chainId of chainIds(cargo.diffIds)) fake.cache.add(chainId);
    withhold(cargo, 0, 1, 2);
    const result = await daemon.load(cargo.root, cargo.source, ['app:unique', 'app:1']);
    expect(result).toMatchObject({ status: 'loaded', layersSent: 0, layersPresent: 3 });
    expect(fake.images[0]?.names).toEqual(['app:unique', 'app:1']);
  });

  test('is asked under the unique name only', async () => {
    const { fake, daemon } = await start({ kind: 'graph' });
    const cargo = makeCargo();
    let asked = '';
    firstOnly(fake, LOAD, [
      async (request, response) => {
        asked = (await buffer(request)).toString('latin1');
        response.end('{"error":"hm"}');
      },
    ]);
    await daemon.load(cargo.root, cargo.source, ['app:unique', 'app:1']);
    expect(asked).toContain('"RepoTags":["app:unique"]');
  });
});

describe('a containerd daemon', () => {
  test('gets an image under a name of its own, and keeps neither that nor the question', async () => {
    const { fake, daemon } = await start({ kind: 'containerd' });
    const cargo = makeCargo();
    await daemon.load(cargo.root, cargo.source, ['app:unique']);
    expect(fake.lines).toContain(`DELETE /images/drayage-load:${digestHex(cargo.root.digest)}?force=false`);
    expect(fake.images).toMatchObject([{ id: cargo.root.digest, names: ['app:unique'] }]);
  });

  test('that does not tell what it has gets everything', async () => {
    const { fake, daemon } = await start({ kind: 'containerd', apiVersion: '1.47' });
    const [base, cargo] = [makeCargo({ layers: ['a'] }), makeCargo({ layers: ['a', 'x'] })];
    await daemon.load(base.root, base.source, ['base:1']);
    const result = await daemon.load(cargo.root, cargo.source, ['app:unique']);
    expect(result).toMatchObject({ layersSent: 2, layersPresent: 0 });
    expect(fake.images).toHaveLength(2);
  });

  test('that has a layer in another compression gets it', async () => {
    const { daemon } = await start({ kind: 'containerd' });
    const [base, cargo] = [makeCargo({ compress: false }), makeCargo()];
    await daemon.load(base.root, base.source, ['base:1']);
    const result = await daemon.load(cargo.root, cargo.source, ['app:unique']);
    expect(result).toMatchObject({ layersSent: 3, layersPresent: 0 });
  });

  test('is asked for the blobs of all platforms', async () => {
    const { fake, daemon } = await start({ kind: 'containerd' });
    const arm = makeCargo({ layers: ['arm'], architecture: 'arm64' });
    await daemon.load(arm.root, arm.source, ['arm:1']);
    const cargo = makeIndexCargo([makeCargo({ layers: ['amd'] }), arm], ['amd64', 'arm64']);
    cargo.source.blobs.delete(arm.layers[0]!.digest);
    const result = await daemon.load(cargo.root, cargo.source, ['app:unique']);
    expect(result).toMatchObject({ layersSent: 1, layersPresent: 0 });
    expect(fake.images[1]).toMatchObject({ id: cargo.root.digest, names: ['app:unique'] });
  });

  test('that cannot unpack an image keeps nothing of it, and the names mean what they meant', async () => {
    const { fake, daemon } = await start({ kind: 'containerd' });
    const old = makeCargo({ layers: ['old'] });
    await daemon.load(old.root, old.source, ['app:unique', 'app:1']);
    const cargo = makeCargo();
    const broken: Handler = async (request, response) => {
      await buffer(request);
      const names = [`drayage-load:${digestHex(cargo.root.digest)}`];
      if (fake.images.length === 1) fake.images.push({ id: cargo.root.digest, names, diffIds: [] });
      response.end('{"stream":"Loaded image: x\\n"}\n{"stream":"Error unpacking image x: not found\\n"}\n');
    };
    fake.handlers.set(LOAD, broken);
    const load = daemon.load(cargo.root, cargo.source, ['app:unique', 'app:1']);
    await expect(load).rejects.toMatchObject({ code: 'DAEMON' });
    expect(fake.images.map(({ id, names }) => ({ id, names }))).toEqual([
      { id: old.root.digest, names: ['app:unique', 'app:1'] },
    ]);
  });

  test.each(['aborted', 'cut off'])('from which a load is %s is cleaned all the same', async (how) => {
    const { fake, daemon } = await start({ kind: 'containerd' });
    const cargo = makeCargo();
    const controller = new AbortController();
    fake.handlers.set(LOAD, async (request, response) => {
      await buffer(request);
      const names = [`drayage-load:${digestHex(cargo.root.digest)}`];
      fake.images.push({ id: cargo.root.digest, names, diffIds: [] });
      if (how === 'aborted') controller.abort(new Error('enough'));
      else response.destroy();
    });
    const options = { full: true, signal: controller.signal };
    await expect(daemon.load(cargo.root, cargo.source, ['app:unique'], options)).rejects.toThrow();
    expect(fake.images).toEqual([]);
  });
});

describe('podman', () => {
  test('gets what it lacks as an OCI layout of uncompressed layers', async () => {
    const { fake, daemon } = await start({ kind: 'podman' });
    const [base, cargo] = [makeCargo({ layers: ['b', 'a'] }), makeCargo({ layers: ['x', 'a', 'y'] })];
    await daemon.load(base.root, base.source, ['base:1']);
    await daemon.load(cargo.root, cargo.source, ['app:unique']);
    const sent = fake.loads.at(-1) ?? [];
    const layers = cargo.diffIds.map((diffId) => sent.includes(`blobs/sha256/${digestHex(diffId)}`));
    expect(layers).toEqual([true, false, true]);
    expect(sent).toContain('index.json');
  });

  test('of which an image cannot be read is asked for the others', async () => {
    const { fake, daemon } = await start({ kind: 'podman' });
    const [base, cargo] = [makeCargo({ layers: ['a'] }), makeCargo({ layers: ['a', 'y'] })];
    await daemon.load(base.root, base.source, ['base:1']);
    const id = `sha256:${'e'.repeat(64)}`;
    fake.images.unshift({ id, names: [], diffIds: [] });
    fake.handlers.set(`GET /images/${id}/json`, (_request, response) =>
      json(response, { message: 'layer not known' }, 500),
    );
    const result = await daemon.load(cargo.root, cargo.source, ['app:unique']);
    expect(result).toMatchObject({ layersSent: 1, layersPresent: 1 });
  });

  test('from which a load is aborted before it is verified keeps no image without a name', async () => {
    const { fake, daemon } = await start({ kind: 'podman' });
    const cargo = makeCargo();
    const controller = new AbortController();
    fake.handlers.set(LOAD, async (request, response) => {
      fake.handlers.delete(LOAD);
      await fake.serve(request, response);
      controller.abort(new Error('enough'));
    });
    const load = daemon.load(cargo.root, cargo.source, ['app:unique'], { signal: controller.signal });
    await expect(load).rejects.toThrow('enough');
    expect(fake.images).toEqual([]);
  });
});

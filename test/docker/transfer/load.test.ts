import { setTimeout as sleep } from 'node:timers/promises';
import { buffer } from 'node:stream/consumers';
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { DockerDaemon } from '../../../src/docker/daemon.ts';
import { connectDocker } from '../../../src/docker/daemon.ts';
import type { Handler } from '../../support/fake-daemon.ts';
import { FakeDaemon } from '../../support/fake-daemon.ts';
import type { FakeImage } from '../../support/fake-stores.ts';
import { makeCargo, makeIndexCargo } from '../cargo.ts';
import type { TestCargo } from '../cargo.ts';

const KINDS = ['graph', 'containerd', 'podman'] as const;
const ANCHOR = 'temp:pipeline-1-abc';
const NAMES = [ANCHOR, 'temp', 'localhost:5000/g/temp:2'];
const LOAD = 'POST /images/load';
const FULL = { full: true };
const LOADED = `{"stream":"Loaded image: ${ANCHOR}\\n"}\r\n`;

async function start(
  kind: FakeImage | (typeof KINDS)[number] = 'graph',
): Promise<{ fake: FakeDaemon; daemon: DockerDaemon }> {
  const fake = await FakeDaemon.start(typeof kind === 'string' ? { kind } : { images: [kind] });
  return { fake, daemon: await connectDocker({ host: fake.host, probeInterval: 100 }) };
}

/** Layers that fit into no buffer on the way. */
function largeCargo(): TestCargo {
  return makeCargo({ layers: [randomBytes(3_000_000), randomBytes(3_000_000)], compress: false });
}

function reply(text: string, change?: () => void): Handler {
  return async (request, response) => {
    await buffer(request);
    change?.();
    response.end(text);
  };
}

describe.each(KINDS)('loading into a %s daemon', (kind) => {
  const idOf = (cargo: TestCargo): string => (kind === 'containerd' ? cargo.root.digest : cargo.configDigest);

  test('sends the image, verifies it, and names it', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = makeCargo();
    let counted = 0;
    const result = await daemon.load(cargo.root, cargo.source, NAMES, {
      onProgress: (event) => void (event.kind === 'bytes' && (counted += event.bytes)),
    });
    expect(result).toEqual({
      daemonId: idOf(cargo),
      status: 'loaded',
      layersSent: 3,
      layersPresent: 0,
      bytesSent: counted,
      moved: [],
    });
    expect(counted).toBeGreaterThan(5_000);
    expect(await daemon.inspect('temp')).toMatchObject({
      id: idOf(cargo),
      names: [ANCHOR, 'temp:latest', 'localhost:5000/g/temp:2'],
      diffIds: cargo.diffIds,
    });
    const load = fake.lines.findIndex((line) => line.startsWith(LOAD));
    const tags = fake.lines.findIndex((line) => line.includes('/tag?'));
    expect(
      fake.lines.slice(load, tags).filter((line) => line.endsWith('/json') || line.includes('/json?')),
    ).not.toHaveLength(0);
  });

  test('an image without a name stays without', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = makeCargo();
    await daemon.load(cargo.root, cargo.source, []);
    expect(fake.images).toMatchObject([{ id: idOf(cargo), names: [] }]);
  });

  test('of a multi-platform image, that of the daemon is taken', async () => {
    const { fake, daemon } = await start(kind);
    const [arm, amd] = [makeCargo({ layers: ['arm'], architecture: 'arm64' }), makeCargo()];
    const cargo = makeIndexCargo([amd, arm], ['amd64', 'arm64']);
    await daemon.load(cargo.root, cargo.source, NAMES);
    expect(fake.images).toMatchObject([{ id: idOf(cargo), diffIds: amd.diffIds }]);
  });

  test('a name that cannot be given is refused before anything is sent', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = makeCargo();
    await expect(daemon.load(cargo.root, cargo.source, ['ok', 'Not:ok'])).rejects.toMatchObject({
      code: 'USAGE',
    });
    expect(fake.lines).toEqual([]);
  });

  test.each([
    ['tells an error', '{"errorDetail":{"message":"disk full"},"error":"disk full"}\r\n', 'disk full'],
    [
      'cannot unpack',
      `${LOADED}{"stream":"Error unpacking image x: not found"}\r\n`,
      'Error unpacking image',
    ],
    ['tells nothing', '', 'it says nothing'],
    ['only claims success', LOADED, 'it is not there'],
  ])('a daemon that %s has failed, and no name moves', async (_what, text, message) => {
    const { fake, daemon } = await start(kind);
    const cargo = makeCargo();
    fake.handlers.set(LOAD, reply(text));
    await expect(daemon.load(cargo.root, cargo.source, NAMES)).rejects.toMatchObject({
      code: 'DAEMON',
      message: expect.stringContaining(message),
    });
    expect(fake.lines.filter((line) => line.includes('/tag?'))).toEqual([]);
  });

  test('a name that another load of the image has just taken is tried again, five times at most', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = makeCargo();
    let loads = 0;
    const taken = reply('{"error":"AlreadyExists: image \\"temp:latest\\": already exists"}\n', () => {
      if (++loads === 3) fake.handlers.delete(LOAD);
    });
    fake.handlers.set(LOAD, taken);
    const result = await daemon.load(cargo.root, cargo.source, NAMES, FULL);
    expect([result.status, loads]).toEqual(['loaded', 3]);
    loads = 3;
    fake.handlers.set(LOAD, taken);
    const again = daemon.load(cargo.root, cargo.source, NAMES, FULL);
    await expect(again).rejects.toMatchObject({ code: 'DAEMON' });
    expect(loads).toBe(8);
  });

  test('damaged content is the error that comes out, and the daemon sees a cut body', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = largeCargo();
    const [, last] = cargo.layers;
    const bytes = Buffer.from(cargo.source.blobs.get(last!.digest)!);
    bytes[2_000_000]! ^= 1;
    cargo.source.blobs.set(last!.digest, bytes);
    const error = await daemon
      .load(cargo.root, cargo.source, NAMES, FULL)
      .catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'DIGEST_MISMATCH', facts: { digest: last!.digest } });
    const bodies = (): unknown[] =>
      fake.seen.filter(({ line }) => line.includes('/load')).map(({ body }) => body);
    // What goes to a containerd store is proven first: the request may end before it has begun.
    if (kind === 'containerd') await expect.poll(() => bodies().every((body) => body === 'cut')).toBe(true);
    else await expect.poll(bodies).toEqual(['cut']);
    expect(fake.images).toEqual([]);
  });

  test('so it is where the daemon has begun to answer', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = largeCargo();
    const [, last] = cargo.layers;
    cargo.source.blobs.set(last!.digest, Buffer.alloc(last!.size));
    fake.handlers.set(LOAD, async (request, response) => {
      response.write('{"status":"Loading"}\n');
      for await (const _ of request) await sleep(1);
    });
    const load = daemon.load(cargo.root, cargo.source, NAMES, FULL);
    await expect(load).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  test('aborting may have any reason', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = makeCargo();
    const controller = new AbortController();
    fake.handlers.set(LOAD, (_request, response) => {
      response.write('{"status":"Loading"}\n');
      setTimeout(() => controller.abort('enough'), 20);
    });
    const load = daemon.load(cargo.root, cargo.source, NAMES, { signal: controller.signal });
    await expect(load).rejects.toBe('enough');
  });

  test('an error that a daemon answers early is told, not that it stopped reading', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = largeCargo();
    fake.handlers.set(LOAD, async (request, response) => {
      response.writeHead(500, { connection: 'close' }).end('{"message":"no room for images"}');
      await sleep(20);
      request.socket.destroy();
    });
    await expect(daemon.load(cargo.root, cargo.source, NAMES, FULL)).rejects.toMatchObject({
      code: 'DAEMON',
      message: expect.stringContaining('no room for images'),
      facts: { status: 500 },
    });
  });

  test('so is one under status 200', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = largeCargo();
    fake.handlers.set(LOAD, (request, response) => {
      request.once('data', () => response.end('{"error":"bad layer"}\n'));
    });
    await expect(daemon.load(cargo.root, cargo.source, NAMES, FULL)).rejects.toMatchObject({
      code: 'DAEMON',
      message: expect.stringContaining('bad layer'),
    });
  });

  test.each([0, 1, 1_000_000])('a connection that dies after %i bytes is told', async (after) => {
    const { fake, daemon } = await start(kind);
    const cargo = largeCargo();
    fake.handlers.set(LOAD, (request) => {
      let count = 0;
      if (after === 0) request.socket.destroy();
      request.on('data', (chunk: Buffer) => {
        count += chunk.length;
        if (count >= after) request.socket.destroy();
      });
    });
    await expect(daemon.load(cargo.root, cargo.source, NAMES, FULL)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining(fake.host),
    });
  });

  test('a daemon that dies before its verdict is told', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = makeCargo();
    fake.handlers.set(LOAD, async (request, response) => {
      await buffer(request);
      response.write('{"stream":"Loaded');
      setTimeout(() => response.destroy(), 5);
    });
    await expect(daemon.load(cargo.root, cargo.source, NAMES)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  test('a daemon that hangs is given up', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = makeCargo();
    fake.handlers.set('GET /_ping', () => new Promise(() => {})).set(LOAD, () => new Promise(() => {}));
    await expect(daemon.load(cargo.root, cargo.source, NAMES)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('has not answered for'),
    });
  });

  test.each(['while it is sent', 'while the daemon unpacks'])(
    'aborting %s rejects with the reason',
    async (when) => {
      const { fake, daemon } = await start(kind);
      const cargo = when === 'while it is sent' ? largeCargo() : makeCargo();
      fake.handlers.set(LOAD, async (request) => {
        for await (const _ of request) await sleep(10);
      });
      const controller = new AbortController();
      const reason = new Error('enough');
      const outcome = daemon
        .load(cargo.root, cargo.source, NAMES, { ...FULL, signal: controller.signal })
        .catch((error: unknown) => error);
      await expect.poll(() => fake.lines.some((line) => line.startsWith(LOAD))).toBe(true);
      await sleep(20);
      controller.abort(reason);
      expect(await outcome).toBe(reason);
      await expect.poll(() => fake.cut(LOAD)).toBe(1);
    },
  );
});

describe.each(['graph', 'podman'] as const)('an image that a %s daemon has', (kind) => {
  test('is not made of a layer that is not the one its config names', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = makeCargo({ misnamed: true });
    await expect(daemon.load(cargo.root, cargo.source, NAMES)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      facts: { expected: cargo.diffIds[2] },
    });
    expect(fake.images).toEqual([]);
  });

  test('is neither read nor sent, only named', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = makeCargo();
    fake.images.push({ id: cargo.configDigest, names: [], diffIds: cargo.diffIds });
    for (const { digest } of cargo.layers) cargo.source.blobs.delete(digest);
    const result = await daemon.load(cargo.root, cargo.source, NAMES);
    expect(result).toEqual({
      daemonId: cargo.configDigest,
      status: 'present',
      layersSent: 0,
      layersPresent: 3,
      bytesSent: 0,
      moved: [],
    });
    expect(fake.images[0]?.names).toEqual([ANCHOR, 'temp:latest', 'localhost:5000/g/temp:2']);
    expect(fake.lines.filter((line) => line.startsWith(LOAD))).toEqual([]);
  });

  test('but with other layers, is sent', async () => {
    const { fake, daemon } = await start(kind);
    const cargo = makeCargo();
    fake.images.push({ id: cargo.configDigest, names: [], diffIds: cargo.diffIds.slice(1) });
    await expect(daemon.load(cargo.root, cargo.source, [])).rejects.toMatchObject({
      code: 'DAEMON',
      message: expect.stringContaining('it has 2 layers, not 3'),
    });
  });
});

describe('what a daemon holds after a load', () => {
  test('is another image: that is refused', async () => {
    const { fake, daemon } = await start();
    const cargo = makeCargo();
    const wrong = { id: `sha256:${'e'.repeat(64)}`, names: [ANCHOR], diffIds: cargo.diffIds };
    fake.handlers.set(
      LOAD,
      reply(LOADED, () => fake.images.push(wrong)),
    );
    await expect(daemon.load(cargo.root, cargo.source, NAMES, FULL)).rejects.toMatchObject({
      code: 'DAEMON',
      message: expect.stringContaining('it is not there'),
    });
    expect(fake.images).toEqual([]);
  });

  test.each([
    ['without its layers', '1.51', { diffIds: [] }, 'it has 0 layers, not 3'],
    ['with content missing', '1.51', { available: false }, 'content of it is missing'],
    // Docker 26 does not say whether content is missing.
    ['out of its list', '1.45', { unlisted: true, extra: {} }, 'not among the images'],
  ])(
    'is an image %s, as containerd stores have them: it is refused and removed',
    async (
      _what,
      apiVersion,
      { available, ...broken }: Partial<FakeImage> & { available?: boolean },
      message,
    ) => {
      const fake = await FakeDaemon.start({ kind: 'containerd', apiVersion });
      const daemon = await connectDocker({ host: fake.host });
      const cargo = makeCargo();
      const Manifests = [{ ID: cargo.root.digest, Available: available ?? true }];
      const image = {
        id: cargo.root.digest,
        names: [`drayage-load:${cargo.root.digest.slice(7)}`],
        diffIds: cargo.diffIds,
        extra: { Manifests },
        ...broken,
      };
      fake.handlers.set(
        LOAD,
        reply(LOADED, () => fake.images.push(image)),
      );
      await expect(daemon.load(cargo.root, cargo.source, NAMES, FULL)).rejects.toMatchObject({
        code: 'DAEMON',
        message: expect.stringContaining(message),
      });
      expect(fake.images).toEqual([]);
    },
  );

  test('is broken and has other names: those are left', async () => {
    const { fake, daemon } = await start('containerd');
    const cargo = makeCargo();
    const image = { id: cargo.root.digest, names: ['mine:1'], diffIds: [] };
    fake.handlers.set(
      LOAD,
      reply(LOADED, () => fake.images.push(image)),
    );
    await expect(daemon.load(cargo.root, cargo.source, [], FULL)).rejects.toMatchObject({ code: 'DAEMON' });
    expect(fake.images).toEqual([image]);
  });

  test('is whole although the daemon tells an error: it is left', async () => {
    const { fake, daemon } = await start('containerd');
    const cargo = makeCargo();
    await daemon.load(cargo.root, cargo.source, NAMES);
    fake.handlers.set(LOAD, reply('{"error":"no space left"}'));
    await expect(daemon.load(cargo.root, cargo.source, NAMES, FULL)).rejects.toMatchObject({
      code: 'DAEMON',
    });
    expect(fake.images).toHaveLength(1);
    expect(fake.images[0]?.names).toHaveLength(3);
  });
});

test('podman gets no names in the archive: it would put them under localhost/', async () => {
  const { fake, daemon } = await start('podman');
  const cargo = makeCargo();
  let sent = '';
  fake.handlers.set(LOAD, async (request, response) => {
    sent = (await buffer(request)).toString('latin1');
    fake.images.push({ id: cargo.configDigest, names: [], diffIds: cargo.diffIds });
    response.end(LOADED);
  });
  await daemon.load(cargo.root, cargo.source, NAMES);
  expect(sent).toContain('"RepoTags":null');
});

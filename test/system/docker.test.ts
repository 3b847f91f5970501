import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { writeOciArchive } from '../../src/archive/write/oci.ts';
import { containerdStore } from '../../src/docker/kinds/containerd.ts';
import type { DockerDaemon } from '../../src/docker/daemon.ts';
import { connectDocker } from '../../src/docker/daemon.ts';
import { graphStore } from '../../src/docker/kinds/graph.ts';
import { parseHost } from '../../src/docker/connect/host.ts';
import { Images } from '../../src/docker/images/images.ts';
import type { LoadTarget } from '../../src/docker/transfer/delivery.ts';
import { loadImage } from '../../src/docker/transfer/load.ts';
import type { Store } from '../../src/docker/kinds/store.ts';
import { Transport } from '../../src/docker/connect/transport.ts';
import { makeCargo, makeIndexCargo } from '../docker/cargo.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { DAEMON_KINDS, skipReason, startDaemon } from './support/daemons.ts';
import type { DaemonKind, TestDaemon } from './support/daemons.ts';
import { identify } from './support/identity.ts';
import { buildTinyImage } from './support/images.ts';

const KINDS: Record<DaemonKind, DockerDaemon['kind']> = {
  'docker-20.10': 'graph',
  'docker-28-graph': 'graph',
  'docker-28-containerd': 'containerd',
  podman: 'podman',
};

const manifestSchema = v.array(v.object({ RepoTags: v.nullish(v.array(v.string())) }));

/** The names that an archive's manifest.json gives, podman's full ones shortened. */
async function namesIn(archive: Readable): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of archive.pipe(extract())) {
    const content = await buffer(entry);
    if (entry.header.name !== 'manifest.json') continue;
    const images = v.parse(manifestSchema, JSON.parse(String(content)));
    names.push(...images.flatMap(({ RepoTags }) => RepoTags ?? []));
  }
  return names.map((name) => name.replace('docker.io/library/', ''));
}

describe.each(DAEMON_KINDS)('a real %s', (kind) => {
  const skip = skipReason(kind) !== undefined;
  let real: TestDaemon;
  let daemon: DockerDaemon;
  let built: string;
  const idOf = (cargo: TestCargo): string =>
    KINDS[kind] === 'containerd' ? cargo.root.digest : cargo.configDigest;

  beforeAll(async () => {
    if (skip) return;
    real = await startDaemon(kind);
    daemon = await connectDocker({ host: real.host });
    built = await buildTinyImage(real, ['temp:latest', 'group/api:1']);
  });
  afterAll(async () => {
    await daemon?.close();
    await real?.stop();
  });

  test.skipIf(skip)('is known for what it is', async () => {
    expect(daemon).toMatchObject({ kind: KINDS[kind], serverVersion: real.version });
    expect(daemon.apiVersion).toBe(kind.startsWith('docker-28') ? '1.51' : '1.41');
    expect(await daemon.platform()).toEqual({ os: 'linux', architecture: 'amd64' });
  });

  test.skipIf(skip)('tells of an image what its own client tells', async () => {
    const image = await daemon.inspect('temp');
    const { names, diffIds } = await identify(real, 'temp');
    expect(image).toMatchObject({ id: built, diffIds, architecture: 'amd64', os: 'linux' });
    expect(image.names.toSorted()).toEqual(
      names.map((name) => name.replace(/^docker\.io\/(library\/)?/, '')),
    );
    expect(await daemon.inspect(built)).toEqual(image);
    expect(await daemon.inspect(built.slice(7, 19))).toEqual(image);
    const listed = (await daemon.list()).find(({ id }) => id === built);
    expect(listed?.names.toSorted()).toEqual(['group/api:1', 'temp:latest']);
  });

  test.skipIf(skip)('finds an image by its ID and by the digest of its config, in every form', async () => {
    const { configDigest } = await identify(real, 'temp');
    for (const digest of new Set([built, configDigest])) {
      for (const text of [digest, digest.slice(7), digest.slice(7, 19), digest.slice(0, 19)]) {
        expect(`${text} is ${(await daemon.inspect(text)).id}`).toBe(`${text} is ${built}`);
      }
    }
    const before = await daemon.list();
    for (const text of [`sha256:${'0'.repeat(64)}`, 'sha256:0000000', '000000000000']) {
      await expect(daemon.inspect(text)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    expect(await daemon.list()).toEqual(before);
  });

  test.skipIf(skip)('names images and takes names away', async () => {
    await daemon.tag('temp', 'localhost:5000/g/x:2');
    expect((await daemon.inspect('localhost:5000/g/x:2')).id).toBe(built);
    await daemon.remove('localhost:5000/g/x:2');
    expect((await daemon.inspect(built)).names.toSorted()).toEqual(['group/api:1', 'temp:latest']);
    await expect(daemon.remove('localhost:5000/g/x:2')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test.skipIf(skip)('tells the nearest names for an unknown one', async () => {
    const unknown = { code: 'NOT_FOUND', facts: { candidates: ['temp:latest'] } };
    await expect(daemon.inspect('tmp')).rejects.toMatchObject(unknown);
    await expect(daemon.save('tmp')).rejects.toMatchObject(unknown);
    await expect(daemon.tag('tmp', 'x')).rejects.toMatchObject(unknown);
  });

  test.skipIf(skip)('saves an image under the one name that was asked for', async () => {
    expect(await namesIn(await daemon.save('temp'))).toEqual(['temp:latest']);
    expect(await namesIn(await daemon.save(built))).toEqual([]);
  });

  test.skipIf(skip).each([
    ['three compressed layers', () => makeCargo({ layers: ['a', 'b', 'c'] })],
    ['uncompressed layers', () => makeCargo({ layers: ['d', 'e'], compress: false })],
    ['the same layer twice', () => makeCargo({ layers: ['f', 'f'] })],
    ['no layers', () => makeCargo({ layers: [] })],
    ['another architecture', () => makeCargo({ layers: ['g'], architecture: 'arm64' })],
    [
      'several platforms',
      () =>
        makeIndexCargo(
          [makeCargo({ layers: ['h'] }), makeCargo({ layers: ['i'], architecture: 'arm64' })],
          ['amd64', 'arm64'],
        ),
    ],
  ])('takes an image of %s, whole and under its names', async (what, make) => {
    const cargo = make();
    const repository = what.replaceAll(' ', '-');
    const names = [`${repository}:pipeline-1-abc`, repository, `localhost:5000/g/${repository}:2`];
    const result = await daemon.load(cargo.root, cargo.source, names);
    expect(result).toMatchObject({
      daemonId: idOf(cargo),
      status: 'loaded',
      layersSent: cargo.diffIds.length,
    });
    const seen = await identify(real, `${repository}:latest`);
    expect(seen.configDigest).toBe(cargo.configDigest);
    expect(seen.diffIds ?? []).toEqual(cargo.diffIds);
    expect((await daemon.inspect(idOf(cargo))).names.toSorted()).toEqual(
      [...names.slice(0, 1), `${repository}:latest`, ...names.slice(2)].toSorted(),
    );
    const again = await daemon.load(cargo.root, cargo.source, names);
    expect(again).toMatchObject({ status: 'present', bytesSent: 0 });
    // Docker's own store has no archive for an image without layers: "empty export - not implemented".
    if (cargo.diffIds.length > 0 || KINDS[kind] !== 'graph') {
      expect(await namesIn(await daemon.save(repository))).toEqual([`${repository}:latest`]);
    }
  });

  test.skipIf(skip)('takes an image without a name', async () => {
    const cargo = makeCargo({ layers: ['nameless'] });
    await daemon.load(cargo.root, cargo.source, []);
    expect(await daemon.inspect(idOf(cargo))).toMatchObject({ names: [], diffIds: cargo.diffIds });
  });

  test.skipIf(skip)('moves a name from one image to another', async () => {
    for (const text of ['first', 'second']) {
      const cargo = makeCargo({ layers: [text] });
      await daemon.load(cargo.root, cargo.source, [`moving:${text}`, 'moving']);
      expect((await daemon.inspect('moving')).id).toBe(idOf(cargo));
    }
    expect((await daemon.inspect('moving:first')).names).toEqual(['moving:first']);
  });

  test.skipIf(skip)('keeps nothing of an image that turns out to be damaged', async () => {
    const cargo = makeCargo({ layers: ['whole', randomBytes(2_000_000)], compress: false });
    const [, last] = cargo.layers;
    const bytes = Buffer.from(cargo.source.blobs.get(last!.digest)!);
    bytes[1_500_000]! ^= 1;
    cargo.source.blobs.set(last!.digest, bytes);
    const load = daemon.load(cargo.root, cargo.source, ['damaged:1', 'damaged']);
    await expect(load).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await expect(daemon.inspect(idOf(cargo))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(daemon.inspect('damaged:1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test.skipIf(skip)(
    'tells in its own words why it does not take an archive, though it was still being sent',
    async () => {
      const cargo = makeCargo({ layers: ['garbage'] });
      const load = loadThrough(real, { ...graphStore, archive: garbage }, cargo, ['garbage:1']);
      await expect(load).rejects.toMatchObject({ code: 'DAEMON' });
    },
  );

  test.skipIf(skip)(
    'that is killed while it saves or loads is out of reach',
    async () => {
      const cargo = makeCargo({ layers: [randomBytes(60_000_000)], compress: false });
      await daemon.load(cargo.root, cargo.source, ['large:1']);
      const other = makeCargo({ layers: [randomBytes(60_000_000)], compress: false });
      const archive = await daemon.save('large:1');
      const chunks = archive[Symbol.asyncIterator]();
      await chunks.next();
      let before = 0;
      let killed: Promise<void> | undefined;
      const kill = (): void => {
        before ||= performance.now();
        killed ??= real.kill();
      };
      const load = daemon.load(other.root, other.source, ['other:1'], {
        onProgress: ({ kind: what }) => void (what === 'bytes' && kill()),
      });
      const outcomes = await Promise.all([
        load.catch((error: unknown) => error),
        (async () => {
          while ((await chunks.next()).done !== true);
        })().catch((error: unknown) => error),
      ]);
      expect(performance.now() - before).toBeLessThan(5000);
      await killed;
      expect(outcomes).toMatchObject([{ code: 'UNREACHABLE' }, { code: 'UNREACHABLE' }]);
      await expect(daemon.inspect('large:1')).rejects.toMatchObject({ code: 'UNREACHABLE' });
    },
    60_000,
  );
});

describe('a real docker-28-containerd', () => {
  const skip = skipReason('docker-28-containerd') !== undefined;

  test.skipIf(skip)(
    'is not believed when it reports success for an image that lacks a blob, and the image goes',
    async () => {
      const real = await startDaemon('docker-28-containerd');
      onTestFinished(() => real.stop());
      await using daemon = await connectDocker({ host: real.host });
      for (const names of [['garbled:1'], []]) {
        const cargo = makeCargo({ layers: ['lacking', `a blob ${names.length}`] });
        const omit = new Set([cargo.layers[1]!.digest]);
        const archive: Store['archive'] = ({ root, source }, given, o) =>
          writeOciArchive(root, given.names, source, { ...o, omit });
        const load = loadThrough(real, { ...containerdStore, archive }, cargo, names);
        await expect(load).rejects.toMatchObject({ code: 'DAEMON' });
        await expect(daemon.inspect(cargo.root.digest)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        expect(await daemon.list()).toEqual([]);
        // And it is not spoilt for a load that is whole.
        await daemon.load(cargo.root, cargo.source, ['whole:1']);
        await daemon.remove('whole:1');
      }
    },
  );
});

describe('a real podman', () => {
  const skip = skipReason('podman') !== undefined;

  test.skipIf(skip)('finds what was loaded also where an image of its own had the name', async () => {
    const real = await startDaemon('podman');
    onTestFinished(() => real.stop());
    await using daemon = await connectDocker({ host: real.host });
    const [old, fresh] = [makeCargo({ layers: ['old'] }), makeCargo({ layers: ['fresh'] })];
    await daemon.load(old.root, old.source, ['localhost/app:1']);
    expect((await daemon.inspect(old.configDigest)).names).toEqual(['app:1']);
    await daemon.load(fresh.root, fresh.source, ['app:fresh', 'app:1']);
    expect((await daemon.inspect('app:1')).id).toBe(fresh.configDigest);
    expect((await identify(real, 'localhost/app:1')).configDigest).toBe(fresh.configDigest);
    expect((await daemon.inspect(old.configDigest)).names).toEqual([]);
  });
});

/** No archive, and too long for the buffers on the way. */
function garbage(): Readable {
  return Readable.from([Buffer.alloc(1024), ...Array.from({ length: 300 }, () => randomBytes(65_536))]);
}

async function loadThrough(
  real: TestDaemon,
  store: Store,
  cargo: TestCargo,
  names: string[],
): Promise<unknown> {
  const transport = new Transport(parseHost(real.host), 5000);
  const images = new Images(transport, store.ownDomain);
  const platform = { os: 'linux', architecture: 'amd64' };
  const target: LoadTarget = { transport, images, store, platform, interval: 10_000 };
  try {
    return await loadImage(target, cargo.root, cargo.source, names, {});
  } finally {
    await transport.close();
  }
}

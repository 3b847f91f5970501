import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { LoadResult, SaveResult } from '../../src/index.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { listFiles } from '../support/list-files.ts';
import type { TestDaemon } from './support/daemons.ts';
import { DAEMON_KINDS, skipReason, startDaemon } from './support/daemons.ts';
import { identify } from './support/identity.ts';
import { buildTinyImage } from './support/images.ts';
import type { TestRegistry } from './support/registry.ts';
import { registrySkipReason, startRegistry } from './support/registry.ts';
import { run } from './support/run-command.ts';

/** More than the documents of an image take up, so that a layer of it in the wrong place shows. */
const SLACK = 64 * 1024;
const text = (): string => randomBytes(200_000).toString('hex');
const BASE = [text(), text()];

async function filesOf(layout: string): Promise<{ bytes: number; blobs: string[] }> {
  const files = await listFiles(layout);
  return {
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    blobs: await readdir(join(layout, 'blobs/sha256')),
  };
}

describe.each(DAEMON_KINDS)('an image of %s without its base', (kind) => {
  const skip = skipReason(kind) !== undefined || registrySkipReason() !== undefined;
  let cwd: string;
  let daemon: TestDaemon;
  let registry: TestRegistry;
  let base: string;
  let id: string;

  /** The job names the registry of the base. */
  const named = (): Record<string, string> => ({ DRAYAGE_REGISTRIES: registry.host });
  const cli = async (args: string[]): Promise<CliResult> => drayage(args, { cwd, env: named() });
  const emptyDaemon = async (): Promise<TestDaemon> => {
    const started = await startDaemon(kind);
    onTestFinished(async () => started.stop());
    return started;
  };
  const load = async (target: TestDaemon, ...args: string[]): Promise<LoadResult> =>
    drayageJson(['load', ...args, '--host', target.host], { cwd, env: named() });

  beforeAll(async () => {
    if (skip) return;
    cwd = await mkdtemp(join(tmpdir(), 'drayage-thin-'));
    daemon = await startDaemon(kind);
    registry = await startRegistry();
    base = `${registry.host}/group/base:1`;
    await buildTinyImage(daemon, ['base:1'], { layers: BASE });
    await buildTinyImage(daemon, ['app:1'], { layers: [...BASE, text()] });
    id = (await identify(daemon, 'app:1')).configDigest;
    const save = ['save', 'base:1', '-o', 'base', '--host', daemon.host];
    await drayageJson(save, { cwd });
    const copy = ['copy', '--dest-tls-verify=false', `oci:${join(cwd, 'base')}:base:1`, `docker://${base}`];
    expect(await run('skopeo', copy, { env: { PATH: process.env['PATH'] ?? '' } })).toMatchObject({
      code: 0,
    });
    const thin = ['save', 'app:1', '-o', 'thin', '--thin', 'always', '--base', base, '--host', daemon.host];
    const saved = await drayageJson<SaveResult>(thin, { cwd });
    expect(saved.images[0]?.id).toBe(id);
    expect(saved.images[0]?.layers.map(({ status }) => status)).toEqual(['omitted', 'omitted', 'written']);
    const chain = ['save', 'app:1', '-o', 'chain', '--base-layout', 'base', '--host', daemon.host];
    await drayageJson<SaveResult>(chain, { cwd });
  });
  afterAll(async () => {
    await daemon?.stop();
    await registry?.stop();
    if (!skip) await rm(cwd, { recursive: true, force: true });
  });

  test.skipIf(skip)('takes up what its own layers do, and no more than 64 KB beside', async () => {
    const { images } = await drayageJson<{ images: SaveResult['images'] }>(['inspect', 'thin'], { cwd });
    const own = images[0]?.layers.at(-1)?.size ?? 0;
    const { bytes, blobs } = await filesOf(join(cwd, 'thin'));
    expect(bytes).toBeGreaterThan(own);
    expect(bytes).toBeLessThanOrEqual(own + SLACK);
    expect(blobs).toHaveLength(3);
    const { code, stdout } = await cli(['verify', 'thin']);
    expect(code).toBe(0);
    expect(stdout).toContain('2 layers (');
    expect(stdout).toContain('omitted');
  });

  /** Those whose builds write down what they have used. */
  const builders = kind.startsWith('docker-28') ? [kind] : [];
  test.skipIf(skip).each(builders)('is found by what the build in %s has written down', async () => {
    await writeFile(join(cwd, 'Dockerfile'), `FROM ${base}\nCOPY Dockerfile /\n`);
    expect(await daemon.docker(['tag', 'base:1', base])).toMatchObject({ code: 0 });
    const build = [
      'buildx',
      'build',
      '--quiet',
      '--metadata-file',
      join(cwd, 'build.json'),
      '-t',
      'next',
      cwd,
    ];
    expect(await daemon.docker(build)).toMatchObject({ code: 0 });
    const save = ['save', '--metadata-file', 'build.json', '-o', 'next', '--thin', 'always'];
    const { images } = await drayageJson<SaveResult>([...save, '--host', daemon.host], {
      cwd,
      env: named(),
    });
    expect(images[0]?.layers.map(({ status }) => status)).toEqual(['omitted', 'omitted', 'written']);
  });

  test.skipIf(skip)('goes into an empty daemon with what the registry has', async () => {
    const target = await emptyDaemon();
    const { images } = await load(target, 'thin');
    expect(images).toMatchObject([{ id, status: 'loaded' }]);
    expect((await identify(target, 'app:1')).configDigest).toBe(id);
  });

  test.skipIf(skip)('goes into a daemon that has the base, and no registry is asked', async () => {
    const target = await emptyDaemon();
    await load(target, 'base');
    const before = registry.requests().length;
    const { images } = await load(target, 'thin');
    expect(images).toMatchObject([{ id, layersSent: 1, layersPresent: 2 }]);
    expect(registry.requests()).toHaveLength(before);
    expect((await identify(target, 'app:1')).configDigest).toBe(id);
  });

  test.skipIf(skip)(
    'ships no blob of the layout that it was saved against, and is loaded with that',
    async () => {
      const [first, second] = await Promise.all([filesOf(join(cwd, 'base')), filesOf(join(cwd, 'chain'))]);
      expect(second.blobs.filter((name) => first.blobs.includes(name))).toEqual([]);
      const alone = await cli(['load', 'chain', '--host', (await emptyDaemon()).host]);
      expect(alone).toMatchObject({
        code: 4,
        stderr: expect.stringContaining('is omitted from its layout') as string,
      });
      const target = await emptyDaemon();
      const { images } = await load(target, 'base', 'chain', '-i', 'app:1', '--offline');
      expect(images).toMatchObject([{ id, status: 'loaded' }]);
      expect((await identify(target, 'app:1')).configDigest).toBe(id);
    },
  );

  test.skipIf(skip)('stays out of an empty daemon where the registry must not be asked', async () => {
    const target = await emptyDaemon();
    const { code, stderr } = await cli(['load', 'thin', '--offline', '--host', target.host]);
    expect(code).toBe(3);
    expect(stderr).toContain(`cannot be read from its base ${base}@sha256:`);
    await expect(identify(target, 'app:1')).rejects.toThrow();
  });

  test.skipIf(skip)('is filled up, and needs no registry then; without it, neither goes', async () => {
    const copied = await cli(['load', 'thin', '--to', 'oci:full']);
    expect(copied.code).toBe(0);
    const filled = await cli(['fetch', '--complete', 'full']);
    expect(filled.code).toBe(0);
    await registry.stop();
    const target = await emptyDaemon();
    const gone = await cli(['load', 'thin', '--host', target.host]);
    expect(gone.code).toBe(3);
    expect(gone.stderr).toContain(`cannot be read from its base ${base}@sha256:`);
    await expect(identify(target, 'app:1')).rejects.toThrow();
    const { images } = await load(target, 'full');
    expect(images).toMatchObject([{ id, status: 'loaded' }]);
    expect((await identify(target, 'app:1')).configDigest).toBe(id);
    const known = await emptyDaemon();
    await load(known, 'base');
    expect((await load(known, 'thin')).images).toMatchObject([{ id, layersPresent: 2 }]);
  });
});

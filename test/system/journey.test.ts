import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { InspectResult, LoadResult, SaveResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { DAEMON_KINDS, skipReason, startDaemon } from './support/daemons.ts';
import type { TestDaemon } from './support/daemons.ts';
import { identify } from './support/identity.ts';
import { buildLargeImages } from './support/images.ts';
import { listFiles } from '../support/list-files.ts';
import { run } from './support/run-command.ts';

const NAMES = { first: 'journey/a:1', second: 'journey/b:1' };
const { PATH = '' } = process.env;

describe.each(DAEMON_KINDS)('two images of over 300 MB out of %s', (kind) => {
  const skip = skipReason(kind) !== undefined;
  let folder: string;
  let daemon: TestDaemon | undefined;
  let saved: SaveResult;
  const layout = (): string => join(folder, 'layout');
  const identities = new Map<string, Awaited<ReturnType<typeof identify>>>();

  beforeAll(async () => {
    if (skip) return;
    folder = await mkdtemp(join(tmpdir(), 'drayage-journey-'));
    daemon = await startDaemon(kind);
    await buildLargeImages(daemon, NAMES);
    for (const name of Object.values(NAMES)) identities.set(name, await identify(daemon, name));
    const args = [
      'save',
      NAMES.first,
      NAMES.second,
      '-o',
      layout(),
      '--compress',
      'gzip',
      '--host',
      daemon.host,
    ];
    saved = await drayageJson<SaveResult>(args, { cwd: folder });
  });

  afterAll(async () => {
    await daemon?.stop();
    if (!skip) await rm(folder, { recursive: true, force: true });
  });

  test.skipIf(skip)(
    'the layout has their config digests, their diffIDs, and each shared layer once',
    async () => {
      for (const image of saved.images) {
        const identity = identities.get(image.name ?? '');
        expect(image.id).toBe(identity?.configDigest);
        expect(image.layers.map(({ diffId }) => diffId)).toEqual(identity?.diffIds);
        expect(image.layers.length).toBeGreaterThanOrEqual(6);
      }
      expect(saved.images.map(({ name }) => name)).toEqual([NAMES.first, NAMES.second]);
      const { images } = await drayageJson<InspectResult>(['inspect', layout()], { cwd: folder });
      expect(images[1]?.layers.filter(({ sharedBy }) => sharedBy === 2)).toHaveLength(5);
      const blobs = (await listFiles(layout())).filter((file) => file.path.startsWith('blobs/sha256/'));
      const digests = new Set(
        saved.images.flatMap(({ layers }) => layers.map(({ digest }) => digest.slice(7))),
      );
      expect(digests.size).toBe(9);
      expect(blobs.filter(({ path }) => digests.has(path.slice('blobs/sha256/'.length)))).toHaveLength(9);
    },
  );

  test.skipIf(skip)('saving them again adds and changes nothing', async () => {
    const before = await listFiles(layout());
    const args = [
      'save',
      NAMES.first,
      NAMES.second,
      '-o',
      layout(),
      '--compress',
      'gzip',
      '--host',
      daemon?.host ?? '',
    ];
    const again = await drayageJson<SaveResult>(args, { cwd: folder });
    expect(again.bytes.written).toBe(0);
    expect(again.images.flatMap(({ layers }) => layers.map(({ status }) => status))).not.toContain('written');
    expect(await listFiles(layout())).toEqual(before);
  });

  test.skipIf(skip)('the layout verifies', async () => {
    const { code, stdout } = await drayage(['verify', layout()], { cwd: folder });
    expect(stdout).toContain('content intact; origin not checked');
    expect(code).toBe(0);
  });

  const others = DAEMON_KINDS.filter((other) => other !== kind);
  test.skipIf(skip).each(others)(
    'they go into an empty %s with the same config, diffIDs and tags',
    async (other) => {
      skipReason(other);
      const target = await startDaemon(other);
      try {
        const args = ['load', layout(), '--host', target.host];
        const loaded = await drayageJson<LoadResult>(args, { cwd: folder });
        expect(loaded.images.map(({ status }) => status)).toEqual(['loaded', 'loaded']);
        for (const [name, expected] of identities) {
          const { names, ...identity } = await identify(target, name);
          expect(identity).toEqual({ configDigest: expected.configDigest, diffIds: expected.diffIds });
          const ref = loaded.images.find((image) => image.name === name)?.ref;
          expect(names).toEqual([name, ref ?? ''].toSorted((a, b) => a.localeCompare(b)));
        }
      } finally {
        await target.stop();
      }
    },
  );

  test.skipIf(skip)('docker loads the layout without us, as a tar of its folder', async () => {
    const target = await startDaemon('docker-20.10');
    try {
      const command = `tar -C '${layout()}' -c . | docker -H '${target.host}' load`;
      const { code, stderr } = await run('sh', ['-c', `set -e; ${command}`], { env: { PATH } });
      expect(stderr).toBe('');
      expect(code).toBe(0);
      for (const [name, expected] of identities) {
        const { configDigest, diffIds } = await identify(target, name);
        expect({ configDigest, diffIds }).toEqual({
          configDigest: expected.configDigest,
          diffIds: expected.diffIds,
        });
      }
    } finally {
      await target.stop();
    }
  });
});

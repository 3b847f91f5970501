import { readdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SaveResult, VerifyResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import type { TestDaemon } from './support/daemons.ts';
import { run } from './support/run-command.ts';
import { syntheticArchive } from './support/synthetic-archive.ts';

const KINDS = ['docker-28-containerd', 'docker-28-graph'] as const;
const LAYERS = 4;
const MIB = 8;
const { PATH = '' } = process.env;

/** Everything that a daemon lists, with the names. */
async function listing(daemon: TestDaemon): Promise<string[]> {
  const { stdout } = await daemon.docker([
    'image',
    'ls',
    '-a',
    '--no-trunc',
    '--format',
    '{{.ID}} {{.Repository}}:{{.Tag}}',
  ]);
  return stdout
    .trim()
    .split('\n')
    .toSorted((a, b) => a.localeCompare(b));
}

describe.each(KINDS)('saving again out of %s', (kind) => {
  const skip = skipReason(kind) !== undefined;
  let folder: string;
  let daemon: TestDaemon;
  let before: string[];
  const save = async (...args: string[]): Promise<SaveResult> =>
    drayageJson<SaveResult>(['save', ...args, '--host', daemon.host], { cwd: folder });
  const problems = async (layout: string): Promise<unknown[]> => {
    const { layouts } = await drayageJson<{ layouts: VerifyResult[] }>(['verify', layout], { cwd: folder });
    return layouts.flatMap((result) => result.problems);
  };

  beforeAll(async () => {
    if (skip) return;
    folder = await mkdtemp(join(tmpdir(), 'drayage-delta-'));
    daemon = await startDaemon(kind);
    for (const [name, layers] of [
      ['big:1', LAYERS],
      ['big:2', LAYERS + 1],
    ] as const) {
      const input = syntheticArchive(name, layers, MIB);
      const made = await drayage(['save', '--from', '-', '-o', 'made', '--compress', 'gzip'], {
        cwd: folder,
        input,
      });
      expect(made.code).toBe(0);
    }
    expect((await drayage(['load', 'made', '--host', daemon.host], { cwd: folder })).code).toBe(0);
    await rm(join(folder, 'made'), { recursive: true });
    before = await listing(daemon);
    await save('big:1', '-o', 'first');
  });
  afterAll(async () => {
    if (skip) return;
    await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test.skipIf(skip)('an unchanged image moves nothing', async () => {
    const { bytes, images, seconds } = await save('big:1', '-o', 'first');
    console.log(`${kind}: an unchanged image in ${seconds.toFixed(2)} s`);
    expect(bytes).toMatchObject({ read: 0, written: 0 });
    expect(images[0]?.layers.map(({ status }) => status)).toEqual(
      Array.from({ length: LAYERS }, () => 'reused'),
    );
  });

  test.skipIf(skip)('a damaged blob is saved anew', async () => {
    await save('big:1', '-o', 'healed');
    const { images } = await save('big:1', '-o', 'healed');
    const file = join(folder, 'healed/blobs/sha256', images[0]?.layers[1]?.digest.slice(7) ?? '');
    await writeFile(file, 'damage');
    const { bytes } = await save('big:1', '-o', 'healed');
    expect(bytes.read).toBeGreaterThan(0);
    expect(await problems('healed')).toEqual([]);
    await rm(join(folder, 'healed'), { recursive: true });
  });

  test.skipIf(skip)('a second image that shares layers brings its own', async () => {
    const started = performance.now();
    const counted = await run('sh', ['-c', `docker -H ${daemon.host} save big:2 | wc -c`], { env: { PATH } });
    const plain = (performance.now() - started) / 1000;
    const { bytes, images, seconds } = await save('big:2', '-o', 'first');
    console.log(
      `${kind}: ${seconds.toFixed(2)} s, docker save ${plain.toFixed(2)} s, ratio ${(seconds / plain).toFixed(2)}`,
    );
    const statuses = images[0]?.layers.map(({ status }) => status);
    expect(statuses).toEqual([...Array.from({ length: LAYERS }, () => 'reused'), 'written']);
    if (kind === 'docker-28-containerd') expect(bytes.read).toBeLessThan(Number(counted.stdout) / 2);
    expect(await problems('first')).toEqual([]);
  });

  test.skipIf(skip)('both come in one request, told apart', async () => {
    const { images } = await save('big:1', 'big:2', '-o', 'both', '--one-request');
    expect(images.map(({ name, layers }) => [name, layers.length])).toEqual([
      ['big:1', LAYERS],
      ['big:2', LAYERS + 1],
    ]);
    expect(await problems('both')).toEqual([]);
    await rm(join(folder, 'both'), { recursive: true });
  });

  test.skipIf(skip)('another platform is refused with those that there are', async () => {
    const args = ['save', 'big:1', '-o', 'other', '--platform', 'linux/s390x', '--host', daemon.host];
    const { code, stderr } = await drayage(args, { cwd: folder });
    expect(code).toBe(4);
    expect(stderr).toContain('linux/amd64');
    expect(await readdir(folder)).not.toContain('other');
  });

  test.skipIf(skip)('whatever is interrupted, the daemon holds what it held', async () => {
    for (const delay of [300, 600, 900]) {
      await rm(join(folder, 'cut'), { recursive: true, force: true });
      await save('big:1', '-o', 'cut');
      await drayage(['save', 'big:2', '-o', 'cut', '--host', daemon.host], {
        cwd: folder,
        onStart: (child) => void setTimeout(() => child.kill('SIGINT'), delay),
      });
      expect(await problems('cut')).toEqual([]);
    }
    expect(await listing(daemon)).toEqual(before);
    await rm(join(folder, 'cut'), { recursive: true, force: true });
  });
});

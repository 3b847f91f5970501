import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { drayage } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { listFiles } from '../support/list-files.ts';
import { DAEMON_KINDS, skipReason, startDaemon } from './support/daemons.ts';
import type { TestDaemon } from './support/daemons.ts';
import { buildTinyImage } from './support/images.ts';
import { untilMoved } from './support/moved-bytes.ts';
import { syntheticArchive } from './support/synthetic-archive.ts';

const exec = promisify(execFile);
/** When a part of the large image has gone over, in bytes, and much of it has not. */
const MIDWAY = 40_000_000;

/** A layout with an image of 120 MB, `big:1`. */
let large: string;
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'drayage-large-'));
  large = join(folder, 'layout');
  const args = ['save', '--from', '-', '-o', large, '--compress', 'none'];
  const made = await drayage(args, { cwd: folder, input: syntheticArchive('big:1', 3, 40) });
  expect(made).toMatchObject({ code: 0, stderr: '' });
});
afterAll(async () => rm(dirname(large), { recursive: true, force: true }));

describe.each(DAEMON_KINDS)('what goes wrong with %s', (kind) => {
  const skip = skipReason(kind) !== undefined;
  let folder: string;
  let daemon: TestDaemon | undefined;
  const host = (): string[] => ['--host', daemon?.host ?? ''];

  beforeAll(async () => {
    if (skip) return;
    folder = await mkdtemp(join(tmpdir(), 'drayage-faults-'));
    daemon = await startDaemon(kind);
  });
  afterAll(async () => {
    await daemon?.stop();
    if (!skip) await rm(folder, { recursive: true, force: true });
  });

  test.skipIf(skip)('an unknown image is exit 4, with the nearest names that the daemon has', async () => {
    if (daemon === undefined) return;
    await buildTinyImage(daemon, ['shop/backend:7']);
    const { code, stderr } = await drayage(['save', 'shop/backedn:7', ...host()], { cwd: folder });
    expect(code).toBe(4);
    expect(stderr).toContain('shop/backedn:7');
    expect(stderr).toContain('shop/backend:7');
    expect(await readdir(folder)).toEqual([]);
  });

  test.skipIf(skip)('an image without a tag is saved by its ID and loaded under its unique tag', async () => {
    if (daemon === undefined) return;
    const id = await buildTinyImage(daemon, [], { layers: [`untagged-${kind}`] });
    await writeFile(join(folder, 'id'), `${id}\n`);
    const saved = await drayage(['save', '--iidfile', 'id', '-o', 'untagged', ...host()], { cwd: folder });
    expect(saved.stderr).toBe('');
    const target = await startDaemon(kind);
    try {
      const { code, stdout } = await drayage(['load', 'untagged', '-q', '--host', target.host], {
        cwd: folder,
      });
      expect(code).toBe(0);
      expect(stdout.trim()).toMatch(/^drayage:drayage-[0-9a-f]{12}$/);
      const found = await target.docker([
        'image',
        'inspect',
        '--format',
        '{{len .RootFS.Layers}}',
        stdout.trim(),
      ]);
      expect(found.stdout.trim()).toBe('1');
    } finally {
      await target.stop();
      await rm(join(folder, 'untagged'), { recursive: true });
    }
  });

  test.skipIf(skip)('Ctrl-C during a save ends it within a second and leaves nothing', async () => {
    if (daemon === undefined) return;
    expect(await drayage(['load', large, ...host()], { cwd: folder })).toMatchObject({ code: 0 });
    let interrupted = Number.NaN;
    const { code } = await drayage(['save', 'big:1', '-o', 'out', ...host()], {
      cwd: folder,
      onStart: (child) =>
        void untilMoved(child.pid, 'read', MIDWAY).then(() => {
          interrupted = performance.now();
          child.kill('SIGINT');
        }),
    });
    const seconds = (performance.now() - interrupted) / 1000;
    expect(code).toBe(130);
    console.log(`${kind}: ended ${seconds.toFixed(2)} s after SIGINT`);
    expect((await listFiles(folder)).map(({ path }) => path)).toEqual(['id']);
  });

  test.skipIf(skip)(
    'a daemon that is killed amid a load or a save is exit 3 within 5 s, and all goes well once it is back',
    async () => {
      const dying = await startDaemon(kind);
      const at = ['--host', dying.host];
      const images = async (): Promise<string[]> =>
        (await dying.docker(['images', '--all', '--format', '{{.Repository}}:{{.Tag}}'])).stdout
          .split('\n')
          .filter(Boolean)
          .toSorted();
      /** Kills the daemon when a part of the image has gone over, and gives how long the command goes on then, in seconds. */
      const amid = async (direction: 'read' | 'written', args: string[]): Promise<number> => {
        let killed = Number.NaN;
        let death: Promise<void> | undefined;
        const { code, stderr } = await drayage(args, {
          cwd: folder,
          onStart: ({ pid }) => {
            death = untilMoved(pid, direction, MIDWAY).then(async () => {
              killed = performance.now();
              await dying.kill();
            });
          },
        });
        const seconds = (performance.now() - killed) / 1000;
        await death;
        console.log(`${kind}: ${args[0]} ended ${seconds.toFixed(2)} s after the daemon: ${stderr}`);
        expect(`${code} ${stderr}`).toMatch(/^3 drayage: .*\n +.*\n$/);
        return seconds;
      };
      try {
        const before = await listFiles(folder);

        expect(await amid('written', ['load', large, ...at])).toBeLessThan(5);
        await dying.restart();
        expect(await images()).toEqual([]);
        expect(await drayage(['load', large, ...at], { cwd: folder })).toMatchObject({ code: 0 });
        const names = await images();
        expect(names).toHaveLength(2);

        expect(await amid('read', ['save', 'big:1', '-o', 'out', ...at])).toBeLessThan(5);
        expect(await listFiles(folder)).toEqual(before);
        await dying.restart();
        expect(await images()).toEqual(names);
        expect(await drayage(['save', 'big:1', '-o', 'out', ...at], { cwd: folder })).toMatchObject({
          code: 0,
        });
        expect(await drayage(['verify', 'out'], { cwd: folder })).toMatchObject({ code: 0 });
      } finally {
        await dying.stop();
        await rm(join(folder, 'out'), { recursive: true, force: true });
      }
    },
  );
});

describe.skipIf(skipReason('docker-20.10') !== undefined)('a full disk', () => {
  test('is exit 1 with the path, and leaves nothing half-written', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'drayage-full-'));
    const disk = join(folder, 'disk');
    await mkdir(disk);
    await exec('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]);
    try {
      const { code, stderr } = await drayage(
        ['save', '--from', '-', '-o', join(disk, 'layout'), '--compress', 'none'],
        {
          cwd: folder,
          input: syntheticArchive('full:1', 2, 20),
        },
      );
      expect(code).toBe(1);
      expect(stderr).toContain(disk);
      expect(stderr).toMatch(/no space left/i);
      expect(await listFiles(disk)).toEqual([]);
    } finally {
      await exec('umount', [disk]);
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('keeps what the layout had before', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'drayage-full-'));
    const disk = join(folder, 'disk');
    await mkdir(disk);
    await exec('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]);
    try {
      const layout = join(disk, 'layout');
      await drayage(['save', '--from', fixturePath('demo.tar'), '-o', layout], { cwd: folder });
      const before = await listFiles(disk);
      const index = await readFile(join(layout, 'index.json'), 'utf8');
      const input = syntheticArchive('full:1', 2, 20);
      const args = ['save', '--from', '-', '-o', layout, '--compress', 'none'];
      expect((await drayage(args, { cwd: folder, input })).code).toBe(1);
      expect(await listFiles(disk)).toEqual(before);
      expect(await readFile(join(layout, 'index.json'), 'utf8')).toBe(index);
    } finally {
      await exec('umount', [disk]);
      await rm(folder, { recursive: true, force: true });
    }
  });
});

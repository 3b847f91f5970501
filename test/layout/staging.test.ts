import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { ownMark } from '../../src/layout/process-mark.ts';
import type { ProgressEvent } from '../../src/progress.ts';
import { asNobody, NOBODY } from '../support/as-nobody.ts';
import { makeDeepTree } from '../support/deep-tree.ts';
import { snapshot, tempFolder } from './folders.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';

const APP = sampleImage(['base', 'app']);

function place(): { folder: string; home: string; path: string } {
  const folder = tempFolder();
  return { folder, home: join(folder, '.layout.drayage'), path: join(folder, 'layout') };
}

/** Writes a file and sets its time back by so many seconds. */
function writeAged(path: string, seconds: number): void {
  writeFileSync(path, '.');
  const now = statSync(path).mtimeMs / 1000;
  utimesSync(path, now - seconds, now - seconds);
}

function heldLock(home: string, age: number): void {
  mkdirSync(join(home, 'lock'), { recursive: true });
  writeAged(join(home, 'lock/someone'), age);
}

describe('staging', () => {
  test('lies beside the layout while the update runs', async () => {
    const { folder, home, path } = place();
    const layout = await Layout.create(path);
    await layout.update(async (transaction) => {
      await addSample(transaction, APP);
      expect(readdirSync(folder)).toEqual(['.layout.drayage']);
      expect(readdirSync(home)).toEqual([expect.stringMatching(/^tx-/)]);
    });
    expect(readdirSync(folder)).toEqual(['layout']);
  });

  test('of a transaction that was silent for long is swept, a young one stays', async () => {
    const { folder, home, path } = place();
    for (const [name, age] of [
      ['tx-old', 700],
      ['tx-young', 500],
    ] as const) {
      mkdirSync(join(home, name), { recursive: true });
      writeAged(join(home, name, 'lease'), age);
      writeFileSync(join(home, name, '1-blob'), 'half a blob');
    }
    await (await Layout.create(path)).update(async () => {});
    expect(readdirSync(home)).toEqual(['tx-young']);
    expect(readdirSync(folder)).toHaveLength(2);
  });

  test.each([0o000, 0o111, 0o222, 0o333, 0o444, 0o555].map((mode) => [mode.toString(8), mode] as const))(
    'that an artifact planted with the mode %s is in the way of no job that owns it',
    async (_, mode) => {
      const { folder, path } = place();
      await (await Layout.create(path)).update((content) => addSample(content, APP));
      const planted = ['a', 'b'].map((name) => join(path, '.drayage-tmp', `tx-${name}`));
      for (const at of planted) {
        mkdirSync(join(at, 'inner'), { recursive: true });
        writeFileSync(join(at, 'inner/file'), '');
        const old = new Date('2020-01-01');
        utimesSync(at, old, old);
      }
      spawnSync('chown', ['-R', String(NOBODY), folder]);
      for (const at of planted.flatMap((one) => [join(one, 'inner'), one])) chmodSync(at, mode);
      await asNobody(async () => {
        const layout = await Layout.open(path);
        await layout.update(async () => {});
        expect(readdirSync(path)).not.toContain('.drayage-tmp');
        await layout.prune(async (entries) => entries);
      });
    },
  );

  test('of a process that was killed is swept at once, and its lock is broken', async () => {
    const { home, path } = place();
    const layout = await Layout.create(path);
    await layout.update((transaction) => addSample(transaction, APP, ['app']));
    mkdirSync(join(home, 'tx-killed'), { recursive: true });
    mkdirSync(join(home, 'lock'));
    const { pid } = spawnSync(process.execPath, ['--version']);
    const mark = ownMark().replace(/\d+$/, String(pid));
    for (const file of ['tx-killed/lease', 'lock/someone']) writeFileSync(join(home, file), mark);
    await layout.prune(async (entries) => entries, { lockTimeout: 0 });
    expect(existsSync(home)).toBe(false);
  });

  test('of a living process stays, and nothing is removed meanwhile', async () => {
    const { home, path } = place();
    const layout = await Layout.create(path);
    await layout.update((transaction) => addSample(transaction, APP, ['app']));
    mkdirSync(join(home, 'tx-alive'), { recursive: true });
    writeFileSync(join(home, 'tx-alive/lease'), ownMark());
    await expect(layout.prune(async (entries) => entries)).rejects.toMatchObject({ code: 'LOCKED' });
    expect(readdirSync(home)).toEqual(['tx-alive']);
  });

  test.each(['.layout.drayage', 'layout/.drayage-tmp'])(
    'that an artifact brought into %s does not pretend to be at work: its time is in the future',
    async (home) => {
      const { folder, path } = place();
      const layout = await Layout.create(path);
      await layout.update((transaction) => addSample(transaction, APP, ['app']));
      mkdirSync(join(folder, home, 'tx-planted'), { recursive: true });
      writeAged(join(folder, home, 'tx-planted/lease'), -86_400);
      await layout.prune(async (entries) => entries, { lockTimeout: 0 });
      expect(readdirSync(folder)).toEqual(['layout']);
      expect(readdirSync(path)).not.toContain('.drayage-tmp');
    },
  );

  test.each(['tx-planted', 'lock', 'lock/someone'])(
    'that an artifact brought is removed at any depth, and with any name: %s',
    async (name) => {
      const { folder, home, path } = place();
      const layout = await Layout.create(path);
      await layout.update((transaction) => addSample(transaction, APP, ['app']));
      for (const where of [home, join(path, '.drayage-tmp')]) {
        const top = join(where, name);
        mkdirSync(dirname(top), { recursive: true });
        makeDeepTree(top);
        const odd = Buffer.concat([Buffer.from(`${top}/`), Buffer.from([0xff])]);
        writeFileSync(odd, '');
        for (const old of [odd, join(top, 'd'.repeat(200)), top]) utimesSync(old, 0, 0);
      }
      await layout.update(async () => {}, { lockTimeout: 0 });
      expect(readdirSync(folder)).toEqual(['layout']);
      expect(readdirSync(path)).not.toContain('.drayage-tmp');
    },
  );

  test('a transaction that lost its staging fails, and changes nothing', async () => {
    const { folder, home, path } = place();
    const layout = await Layout.create(path);
    await layout.update(async () => {});
    const before = snapshot(folder);
    const update = layout.update(async (transaction) => {
      await addSample(transaction, APP, ['app']);
      for (const name of readdirSync(home)) rmSync(join(home, name), { recursive: true });
    });
    await expect(update).rejects.toBeInstanceOf(Error);
    expect(snapshot(folder)).toEqual(before);
  });
});

describe('the lock', () => {
  test('that somebody holds is waited for, until the time is up', async () => {
    const { folder, home, path } = place();
    heldLock(home, 0);
    const before = snapshot(folder);
    const layout = await Layout.create(path);
    const update = layout.update((transaction) => addSample(transaction, APP), { lockTimeout: 300 });
    await expect(update).rejects.toMatchObject({ code: 'LOCKED', retryable: true });
    expect(snapshot(folder)).toEqual(before);
  });

  test('is not waited for any longer when the signal comes', async () => {
    const { home, path } = place();
    heldLock(home, 0);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 100);
    const layout = await Layout.create(path);
    const update = layout.update((transaction) => addSample(transaction, APP), { signal: controller.signal });
    await expect(update).rejects.toThrow('enough');
  });

  test.each([
    ['abandoned', () => {}],
    ['with leftovers of a heartbeat', (home: string) => writeAged(join(home, 'lock/other'), 1000)],
  ])('of a process that died is broken: %s', async (_, more) => {
    const { folder, home, path } = place();
    heldLock(home, 60);
    more(home);
    const layout = await Layout.create(path);
    await layout.update((transaction) => addSample(transaction, APP), { lockTimeout: 1000 });
    expect(readdirSync(folder)).toEqual(['layout']);
  });

  test.each(['someone', 'exclusive-someone'])('of the future is abandoned: %s', async (name) => {
    const { folder, home, path } = place();
    const layout = await Layout.create(path);
    for (const where of [home, join(path, '.drayage-tmp')]) {
      mkdirSync(join(where, 'lock'), { recursive: true });
      writeAged(join(where, 'lock', name), -60);
    }
    await layout.update((transaction) => addSample(transaction, APP), { lockTimeout: 0 });
    expect(readdirSync(folder)).toEqual(['layout']);
    expect(readdirSync(path)).not.toContain('.drayage-tmp');
  });

  test('that removes content is waited for until the time is up, and a line says so', async () => {
    const { home, path } = place();
    const told: ProgressEvent[] = [];
    const onProgress = (event: ProgressEvent): void => void told.push(event);
    const layout = await Layout.create(path, { lockTimeout: 300, onProgress });
    for (const where of [home, join(path, '.drayage-tmp')]) {
      mkdirSync(join(where, 'lock'), { recursive: true });
      writeAged(join(where, 'lock/exclusive-someone'), 0);
      const update = layout.update((transaction) => addSample(transaction, APP));
      await expect(update).rejects.toMatchObject({ code: 'LOCKED', facts: { reason: 'LOCK_HELD' } });
      expect(told.splice(0)).toEqual([
        { kind: 'waiting', what: 'lock', where: join(where, 'lock'), seconds: 1 },
      ]);
      rmSync(where, { recursive: true });
    }
  });

  test('that is empty is nobody’s', async () => {
    const { folder, home, path } = place();
    mkdirSync(join(home, 'lock'), { recursive: true });
    const layout = await Layout.create(path);
    await layout.update((transaction) => addSample(transaction, APP), { lockTimeout: 0 });
    expect(readdirSync(folder)).toEqual(['layout']);
  });
});

import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { snapshot, tempFolder } from './folders.ts';
import { addSample, sampleImage } from './sample-images.ts';

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

  test('that is empty is nobody’s', async () => {
    const { folder, home, path } = place();
    mkdirSync(join(home, 'lock'), { recursive: true });
    const layout = await Layout.create(path);
    await layout.update((transaction) => addSample(transaction, APP), { lockTimeout: 0 });
    expect(readdirSync(folder)).toEqual(['layout']);
  });
});

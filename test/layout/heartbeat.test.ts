import { readdirSync, readlinkSync } from 'node:fs';
import type * as Promises from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Folder } from '../../src/disk/folder.ts';
import { Heartbeat } from '../../src/layout/heartbeat.ts';
import { faults, inject } from './faulty-disk.ts';
import { tempFolder } from './folders.ts';

vi.mock('node:fs/promises', async (original) => {
  const { faulty } = await import('./faulty-disk.ts');
  return faulty(await original<typeof Promises>());
});

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => {
  inject();
  vi.useRealTimers();
});

async function openFolder(): Promise<Folder> {
  const folder = await Folder.open(tempFolder());
  if (folder === undefined) throw new Error('no folder');
  return folder;
}

/** How many descriptors of this process are open at a path. */
function descriptorsAt(path: string): number {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(join('/proc/self/fd', fd));
    } catch {
      return '';
    }
  });
  return targets.filter((target) => target === path).length;
}

test.each(['ENOSPC', 'EIO'])('a start that fails with %s leaves no descriptor and no timer', async (code) => {
  await using folder = await openFolder();
  inject({ reads: true });
  const whole = await Heartbeat.start(folder, 'whole', 1000);
  const calls = faults.count;
  expect(descriptorsAt(whole.path)).toBe(1);
  expect(vi.getTimerCount()).toBe(1);
  await whole.stop();
  for (let failAt = 1; failAt <= calls; failAt += 1) {
    inject({ failAt, code, reads: true });
    const name = `call-${failAt}`;
    await expect(Heartbeat.start(folder, name, 1000), name).rejects.toMatchObject({ code: 'IO' });
    expect(descriptorsAt(folder.pathOf(name)), name).toBe(0);
    expect(vi.getTimerCount(), name).toBe(0);
  }
  expect(calls).toBeGreaterThan(2);
});

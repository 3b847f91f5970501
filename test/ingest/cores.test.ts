import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { availableCores } from '../../src/ingest/cores.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test.each([
  ['no quota', {}, 8],
  ['a quota of two cores', { 'cpu.max': '200000 100000\n' }, 2],
  ['a quota of a core and a half', { 'cpu.max': '150000 100000\n' }, 2],
  ['a quota of a tenth of a core', { 'cpu.max': '10000 100000\n' }, 1],
  ['a quota beyond the cores', { 'cpu.max': '1600000 100000\n' }, 8],
  ['no limit', { 'cpu.max': 'max 100000\n' }, 8],
  ['a file of another kind', { 'cpu.max': 'x' }, 8],
  ['a quota of version 1', { 'cpu/cpu.cfs_quota_us': '300000\n', 'cpu/cpu.cfs_period_us': '100000\n' }, 3],
  ['no limit of version 1', { 'cpu/cpu.cfs_quota_us': '-1\n', 'cpu/cpu.cfs_period_us': '100000\n' }, 8],
])('of 8 cores, %s leaves as many as it allows', async (_, files: Record<string, string>, expected) => {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  expect(availableCores(folder, 8)).toBe(expected);
});

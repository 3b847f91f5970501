import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import type * as Promises from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { Staging } from '../../src/layout/staging.ts';
import { placeOf, tempFolder } from './folders.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';

/** A folder that is a mount of its own, though of the same device; and what happens before a folder is made. */
const disk = vi.hoisted(() => ({ mount: '', beforeMkdir: (_path: string): void => {} }));

function isInMount(path: string): boolean {
  return disk.mount !== '' && path.startsWith(disk.mount + sep);
}

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof Promises>();
  const rename = async (from: string, to: string): Promise<void> => {
    if (isInMount(placeOf(from)) !== isInMount(placeOf(to)))
      throw Object.assign(new Error('EXDEV'), { code: 'EXDEV' });
    await real.rename(from, to);
  };
  const mkdir = async (path: string, options?: { recursive: true }): Promise<string | undefined> => {
    disk.beforeMkdir(path);
    return real.mkdir(path, options);
  };
  return { ...real, rename, mkdir };
});

beforeEach(() => {
  Object.assign(disk, { mount: '', beforeMkdir: () => {} });
});

test('staging is in a layout that is a mount of the same device', async () => {
  const folder = tempFolder();
  const path = join(folder, 'layout');
  mkdirSync(path);
  disk.mount = path;
  const layout = await Layout.create(path);
  const image = sampleImage(['base']);
  await layout.update(async (transaction) => {
    expect(readdirSync(join(path, '.drayage-tmp'))).toEqual([expect.stringMatching(/^tx-/)]);
    expect(readdirSync(folder)).toEqual(['layout']);
    await addSample(transaction, image, ['app']);
  });
  expect(await layout.images()).toHaveLength(1);
  expect(readdirSync(path).toSorted()).toEqual(['blobs', 'index.json', 'manifest.json', 'oci-layout']);
});

test('the folders above are made again where another one removes them', async () => {
  const folder = tempFolder();
  let count = 0;
  disk.beforeMkdir = (path) => {
    if (!path.endsWith('.layout.drayage') || ++count > 2) return;
    rmSync(join(folder, 'deep'), { recursive: true });
  };
  const staging = await Staging.open(join(folder, 'deep/er/layout'));
  expect(dirname(staging.path)).toBe(join(folder, 'deep/er/.layout.drayage'));
  expect(count).toBe(3);
  await staging.remove();
  expect(readdirSync(folder)).toEqual([]);
});

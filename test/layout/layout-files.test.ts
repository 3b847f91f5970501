import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkLayoutFile } from '../../src/layout/layout-files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drayage-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('an unpacked docker archive is no layout, with how to pack it', async () => {
  await writeFile(join(folder, 'manifest.json'), '[]');
  await expect(checkLayoutFile(folder)).rejects.toMatchObject({
    code: 'MALFORMED',
    hint: expect.stringContaining('tar -C DIR -cf FILE .'),
  });
});

test('a layout of another version is an error that names the file', async () => {
  const path = join(folder, 'oci-layout');
  await writeFile(path, '{"imageLayoutVersion":"2.0.0"}');
  await expect(checkLayoutFile(folder)).rejects.toMatchObject({ facts: { path, actual: '2.0.0' } });
});

test('another folder is no layout, without a hint', async () => {
  await expect(checkLayoutFile(folder)).rejects.toMatchObject({ code: 'MALFORMED', hint: undefined });
});

test('a link in a layout is refused, with how to copy it without links', async () => {
  await writeFile(join(folder, 'other'), '{"imageLayoutVersion":"1.0.0"}');
  await symlink('other', join(folder, 'oci-layout'));
  await expect(checkLayoutFile(folder)).rejects.toMatchObject({
    code: 'LINK',
    hint: expect.stringContaining('cp -rL'),
  });
});

test('a folder of skopeo’s dir is told how it becomes a layout', async () => {
  await writeFile(join(folder, 'manifest.json'), '{"schemaVersion":2,"layers":[]}');
  await expect(checkLayoutFile(folder)).rejects.toMatchObject({
    code: 'MALFORMED',
    hint: expect.stringContaining('skopeo copy dir:DIR oci:'),
  });
});

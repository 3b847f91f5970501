import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { IndexFile } from '../../src/layout/index-file.ts';
import { tempFolder } from './folders.ts';

const text = (note: string): string => JSON.stringify({ schemaVersion: 2, manifests: [], note });

test('index.json is read again only if it changed', async () => {
  const root = tempFolder();
  const path = join(root, 'index.json');
  const file = new IndexFile(root);
  await expect(file.read()).rejects.toThrow(expect.objectContaining({ code: 'MALFORMED' }) as Error);
  writeFileSync(path, text('a'));
  const first = await file.read();
  expect(await file.read()).toBe(first);
  writeFileSync(path, text('longer'));
  const second = await file.read();
  expect(second).toMatchObject({ note: 'longer' });
  writeFileSync(`${path}.new`, text('shorte'));
  renameSync(`${path}.new`, path);
  expect(await file.read()).toMatchObject({ note: 'shorte' });
});

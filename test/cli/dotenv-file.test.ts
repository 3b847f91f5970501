import { chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { writeDotenvFile } from '../../src/cli/dotenv-file.ts';
import type { ImageVariables } from '../../src/index.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { signal } = new AbortController();

let path: string;
beforeEach(async () => {
  path = join(await temporaryFolder(), '.env');
});

function variables(...names: string[]): ImageVariables {
  const of = (suffix: string) => names.map((name) => ({ key: `DRAYAGE_${name}_${suffix}`, value: 'app:1' }));
  return { references: of('REF'), ids: of('ID'), digests: of('DIGEST') };
}

const linesOf = (name: string) =>
  ['REF', 'ID', 'DIGEST'].map((suffix) => `DRAYAGE_${name}_${suffix}=app:1\n`).join('');

test('a new file holds the variables', async () => {
  await writeDotenvFile(path, variables('APP'), signal);
  expect(await readFile(path, 'utf8')).toBe(linesOf('APP'));
});

test.each<[string, string | Buffer, string?]>([
  ['other lines', '# mine\n\nTOKEN="a=b"\r\nDRAYAGE_CACHE=/c\nDRAYAGE_JOB_ID=1\n'],
  ['a last line without an end', 'TOKEN=x', 'TOKEN=x\n'],
  ['bytes that are no UTF-8', Buffer.from('NAME=\u00fc\n', 'latin1')],
])('it keeps %s', async (_, before, after) => {
  await writeFile(path, before);
  await writeDotenvFile(path, variables('APP'), signal);
  expect(await readFile(path)).toEqual(
    Buffer.concat([Buffer.from(after ?? before), Buffer.from(linesOf('APP'))]),
  );
});

test('it replaces what an earlier load wrote, also of images that are gone', async () => {
  await writeFile(path, 'A=1\n');
  await writeDotenvFile(path, variables('APP', 'OLD'), signal);
  const asked = { ...variables('APP'), references: [{ key: 'IMAGE', value: 'app:1' }] };
  await writeFile(path, `${await readFile(path, 'utf8')}export IMAGE=app:0\nB=2\n`);
  await writeDotenvFile(path, asked, signal);
  expect(await readFile(path, 'utf8')).toBe(
    'A=1\nB=2\nIMAGE=app:1\nDRAYAGE_APP_ID=app:1\nDRAYAGE_APP_DIGEST=app:1\n',
  );
});

test('it keeps who may read the file', async () => {
  await writeFile(path, 'SECRET=1\n');
  await chmod(path, 0o600);
  await writeDotenvFile(path, variables('APP'), signal);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('it does not write through a link', async () => {
  const target = `${path}.target`;
  await writeFile(target, 'A=1\n');
  await symlink(target, path);
  await writeDotenvFile(path, variables('APP'), signal);
  expect(await readFile(target, 'utf8')).toBe('A=1\n');
});

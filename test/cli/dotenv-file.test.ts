import { chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { writeDotenvFile } from '../../src/cli/dotenv-file.ts';
import type { ImageVariables } from '../../src/index.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const context = { signal: new AbortController().signal, env: {} };

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
  await writeDotenvFile(path, variables('APP'), context);
  expect(await readFile(path, 'utf8')).toBe(linesOf('APP'));
});

test.each<[string, string | Buffer, string?]>([
  ['other lines', '# mine\n\nTOKEN="a=b"\r\nDRAYAGE_CACHE=/c\nDRAYAGE_JOB_ID=1\n'],
  ['a last line without an end', 'TOKEN=x', 'TOKEN=x\n'],
  ['lines of Windows', 'A=1\r\nexport B="x y"\r\n'],
  [
    'quoted values, and what only looks like one of ours',
    `A='DRAYAGE_APP_REF=x'\n#DRAYAGE_APP_REF=x\nMY_DRAYAGE_APP_REF=x\n`,
  ],
  ['bytes that are no UTF-8', Buffer.from('NAME=\u00fc\n', 'latin1')],
])('it keeps %s', async (_, before, after) => {
  await writeFile(path, before);
  await writeDotenvFile(path, variables('APP'), context);
  expect(await readFile(path)).toEqual(
    Buffer.concat([Buffer.from(after ?? before), Buffer.from(linesOf('APP'))]),
  );
});

test('it replaces what an earlier load wrote, also of images that are gone', async () => {
  await writeFile(path, 'A=1\n');
  await writeDotenvFile(path, variables('APP', 'OLD'), context);
  const asked = { ...variables('APP'), references: [{ key: 'IMAGE', value: 'app:1' }] };
  await writeFile(path, `${await readFile(path, 'utf8')}export IMAGE=app:0\nB=2\n`);
  await writeDotenvFile(path, asked, context);
  expect(await readFile(path, 'utf8')).toBe(
    'A=1\nB=2\nIMAGE=app:1\nDRAYAGE_APP_ID=app:1\nDRAYAGE_APP_DIGEST=app:1\n',
  );
});

test.each([
  ['twice', 'DRAYAGE_APP_REF=a:1\nA=1\nDRAYAGE_APP_REF=a:2\n'],
  ['edited by hand', '  export DRAYAGE_APP_REF="mine:1" # pinned\nA=1\nDRAYAGE_OLD_ID = x\n'],
  ['with the line ends of Windows', 'DRAYAGE_APP_REF=a:1\r\nA=1\n'],
  ['without an end of its last line', 'A=1\nDRAYAGE_APP_REF=a:1'],
])('it replaces a variable that is there %s', async (_, before) => {
  await writeFile(path, before);
  await writeDotenvFile(path, variables('APP'), context);
  expect(await readFile(path, 'utf8')).toBe(`A=1\n${linesOf('APP')}`);
});

test.each(['GITHUB_ENV', 'GITHUB_OUTPUT'])('it only adds to the file of %s', async (name) => {
  const text = 'NOTES<<END\nDRAYAGE_APP_REF=an example\nEND\nDRAYAGE_APP_REF=app:0';
  const env = { GITHUB_ACTIONS: 'true', [name]: path };
  await writeFile(path, text);
  await writeDotenvFile(relative('', path), variables('APP'), { ...context, env });
  expect(await readFile(path, 'utf8')).toBe(`${text}\n${linesOf('APP')}`);
});

test('it keeps who may read the file', async () => {
  await writeFile(path, 'SECRET=1\n');
  await chmod(path, 0o600);
  await writeDotenvFile(path, variables('APP'), context);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('it does not write through a link', async () => {
  const target = `${path}.target`;
  await writeFile(target, 'A=1\n');
  await symlink(target, path);
  await writeDotenvFile(path, variables('APP'), context);
  expect(await readFile(target, 'utf8')).toBe('A=1\n');
});

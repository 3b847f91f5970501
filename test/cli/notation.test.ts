import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { folderOf } from '../../src/cli/notation.ts';
import { parseTarget } from '../../src/cli/target.ts';
import { thrown } from '../oci/documents.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('the folder of a layout', () => {
  test.each([
    ['dir', 'dir'],
    ['oci:dir', 'dir'],
    ['./-', './-'],
  ])('%s is %s', (text, folder) => {
    expect(folderOf(text)).toBe(folder);
  });

  test('is no archive: the answer says how an archive is written, and never to remove it', async () => {
    const path = join(await temporaryFolder(), 'app.tar');
    await writeFile(path, 'an archive');
    for (const text of [path, `oci:${path}`]) {
      const { facts } = thrown('USAGE', () => folderOf(text));
      expect(facts.hint).toMatch(
        `drayage save --from ${path} -o DIR; load, merge and diff take docker-archive:${path}`,
      );
    }
  });

  test.each(['-', 'oci:-'])('is not %s, which is a stream for other commands', (text) => {
    expect(thrown('USAGE', () => folderOf(text)).facts.hint).toBe(
      'a folder of this name is ./-; an archive in standard input is docker-archive:- or oci-archive:-',
    );
  });
});

describe('a target on standard output', () => {
  test.each([
    ['-', { format: 'docker' }],
    ['docker-archive:-', { format: 'docker' }],
    ['oci-archive:-', { format: 'oci' }],
    ['oci-archive:-:app:1', { format: 'oci', name: 'app:1' }],
  ])('takes an archive: %s', (text, expected) => {
    expect(parseTarget(text, { stdout: new PassThrough() })).toEqual({ kind: 'stdout', ...expected });
  });

  test('is no layout', () => {
    thrown('USAGE', () => parseTarget('oci:-', { stdout: new PassThrough() }));
  });

  test('takes none if it is a terminal, or if the result goes there', () => {
    const terminal = Object.assign(new PassThrough(), { isTTY: true });
    for (const text of ['-', 'oci-archive:-']) {
      thrown('USAGE', () => parseTarget(text, { stdout: terminal }));
      thrown('USAGE', () => parseTarget(text, { stdout: new PassThrough(), json: true }));
    }
  });
});

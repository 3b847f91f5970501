import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { assertOwnCache } from '../../src/cli/cache-owner.ts';
import { isSameFolder } from '../../src/cli/notation.ts';
import { assertWritable, writeFileWhole } from '../../src/cli/output-file.ts';
import { readOwnFile } from '../../src/cli/own-file.ts';
import { isInWorkspace, refuseLinks } from '../../src/cli/workspace.ts';
import { nearest } from '../../src/cli/writable.ts';
import { lookAt, lookAtLink } from '../../src/disk/look-at.ts';
import { isThere } from '../../src/docker/connect/files.ts';
import { resolveDockerHost } from '../../src/docker/connect/address.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder, 'file'), '');
  await symlink('loop', join(folder, 'loop'));
});

test.each(['none', 'none/file', 'file/none'])('nothing is at %s', async (path) => {
  expect(await lookAt(join(folder, path))).toBe(undefined);
  expect(await lookAtLink(join(folder, path))).toBe(undefined);
});

test('a link is what it leads to, or itself', async () => {
  await symlink('file', join(folder, 'link'));
  expect((await lookAt(join(folder, 'link')))?.isFile()).toBe(true);
  expect((await lookAtLink(join(folder, 'link')))?.isSymbolicLink()).toBe(true);
  await expect(lookAt(join(folder, 'loop'))).rejects.toMatchObject({
    code: 'IO',
    message: `cannot look at ${join(folder, 'loop')}: too many symbolic links (ELOOP)`,
    facts: { path: join(folder, 'loop'), actual: 'ELOOP' },
  });
});

describe('what cannot be looked at is not taken for absent', () => {
  const { signal } = new AbortController();
  test.each<[string, (path: string) => Promise<unknown>]>([
    ['a report of an earlier command', readOwnFile],
    ['a file to write', (path) => writeFileWhole(path, (async function* () {})() as never, signal)],
    ['a file that could be written', (path) => assertWritable(path)],
    ['a step below the workspace', (path) => isInWorkspace(join(path, 'file'))],
    ['one of two folders', (path) => isSameFolder(folder, path)],
    ['the place of a layout', nearest],
    ['a cache', (path) => assertOwnCache(path, { env: {} }, 0)],
    ['the folder of a job', (path) => assertOwnCache(folder, { env: { CI_PROJECT_DIR: path } }, 0)],
    ['certificates of docker', isThere],
    [
      'the socket of docker',
      (path) => resolveDockerHost({ DOCKER_TLS_CERTDIR: '' }, { defaultSocket: path }),
    ],
  ])('%s', async (_, look) => {
    const path = join(folder, 'x'.repeat(300));
    await expect(look(path)).rejects.toMatchObject({
      code: 'IO',
      message: `cannot look at ${path}: the path is too long (ENAMETOOLONG)`,
    });
  });

  test('a step of a path', async () => {
    const path = 'x'.repeat(300);
    await expect(refuseLinks(path)).rejects.toMatchObject({ code: 'IO', facts: { path } });
  });
});

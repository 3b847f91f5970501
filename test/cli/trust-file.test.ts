import { createHash } from 'node:crypto';
import { link as hardLink, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { readTrustFile } from '../../src/cli/trust-file.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const PEM = '-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n';
const HEX = createHash('sha256').update(PEM).digest('hex');
const OPTION = { option: '--key', what: 'the public key' };

/** A builds folder with a workspace and, beside it, the folder of variables of type File. */
let builds: string;
let env: Record<string, string>;
beforeEach(async () => {
  builds = await temporaryFolder();
  for (const folder of ['app/keys', 'app.tmp', 'application']) {
    await mkdir(join(builds, folder), { recursive: true });
    await writeFile(join(builds, folder, 'key.pub'), PEM);
  }
  env = { ...gitlabJob('124', 'deploy'), CI_PROJECT_DIR: join(builds, 'app') };
});

const read = (given: string, own = env) => readTrustFile(given, OPTION, { env: own });

describe('in a job, without a digest, a file is refused', () => {
  test('in the workspace, with the line that would be accepted', async () => {
    const path = join(builds, 'app/keys/key.pub');
    await expect(read(path)).rejects.toMatchObject({
      code: 'UNSAFE',
      message: `the public key ${path} is in the workspace, where an artifact may have replaced it`,
      facts: { hint: expect.stringContaining(`--key ${path}@sha256:${HEX}`) as string },
    });
    expect(String(await read(`${path}@sha256:${HEX}`))).toBe(PEM);
  });

  test('where the line would have to be quoted', async () => {
    const path = join(builds, "app/it's a key");
    await writeFile(path, PEM);
    const hint = `--key '${path.replace("'", String.raw`'\''`)}@sha256:${HEX}'`;
    await expect(read(path)).rejects.toMatchObject({
      facts: { hint: expect.stringContaining(hint) as string },
    });
  });

  test.each<[string, string, string, string]>([
    ['through a link that leads into the workspace', 'app.tmp/link', 'app/keys/key.pub', 'app.tmp/link'],
    ['through a linked folder', 'app.tmp/folder', 'app/keys', 'app.tmp/folder/key.pub'],
    ['through a link in the workspace that leads out', 'app/link', 'app.tmp/key.pub', 'app/link'],
    ['through a linked folder in it that leads out', 'app/folder', 'app.tmp', 'app/folder/key.pub'],
    ['by dots', 'app.tmp/unused', 'app', 'app.tmp/../app/keys/key.pub'],
    ['by dots behind a link in the workspace', 'app/folder', 'app.tmp', 'app/folder/../app.tmp/key.pub'],
  ])('%s', async (_, link, target, path) => {
    await symlink(join(builds, target), join(builds, link));
    await expect(read(`${builds}/${path}`)).rejects.toMatchObject({ code: 'UNSAFE' });
  });

  test('through two links, of which one is in the workspace', async () => {
    await symlink(join(builds, 'app.tmp/key.pub'), join(builds, 'app/inner'));
    await symlink('app/inner', join(builds, 'outer'));
    await expect(read(join(builds, 'outer'))).rejects.toMatchObject({ code: 'UNSAFE' });
  });

  test('where the workspace is named by a link to it, or the file is', async () => {
    await symlink(join(builds, 'app'), join(builds, 'alias'));
    const named = { ...env, CI_PROJECT_DIR: join(builds, 'alias') };
    await expect(read(join(builds, 'app/keys/key.pub'), named)).rejects.toMatchObject({ code: 'UNSAFE' });
    await expect(read(join(builds, 'alias/keys/key.pub'), named)).rejects.toMatchObject({ code: 'UNSAFE' });
  });

  test('through a link outside and the folder above what it leads to', async () => {
    await symlink(join(builds, 'app/keys'), join(builds, 'app.tmp/deep'));
    await writeFile(join(builds, 'app/planted.pub'), PEM);
    await expect(read(`${builds}/app.tmp/deep/../planted.pub`)).rejects.toMatchObject({ code: 'UNSAFE' });
  });

  test('that has further names, because one of them may be in the workspace', async () => {
    const path = join(builds, 'app.tmp/hard');
    await hardLink(join(builds, 'app/keys/key.pub'), path);
    await expect(read(path)).rejects.toMatchObject({ code: 'UNSAFE' });
    expect(String(await read(`${path}@sha256:${HEX}`))).toBe(PEM);
  });

  test.each([
    ['is not set', {}],
    ['is empty', { CI_PROJECT_DIR: '' }],
    ['names no folder here', { CI_PROJECT_DIR: '/no/such/folder' }],
    ['is relative', { CI_PROJECT_DIR: 'src' }],
  ])('in the working folder, where CI_PROJECT_DIR %s', async (_, variable) => {
    const own = { ...gitlabJob('124', 'deploy'), ...variable };
    await expect(read('package.json', own)).rejects.toMatchObject({ code: 'UNSAFE' });
    expect(String(await read(join(builds, 'app.tmp/key.pub'), own))).toBe(PEM);
  });
});

describe('is taken as it is', () => {
  test.each(['app.tmp/key.pub', 'application/key.pub', 'app/../app.tmp/key.pub'])(
    'a file outside the workspace: %s',
    async (path) => {
      expect(String(await read(`${builds}/${path}`))).toBe(PEM);
    },
  );

  test.each([
    ['PEM', PEM],
    ['PEM after a blank line', `\n${PEM}`],
    ['JSON', '{"mediaType":"x"}'],
  ])('text in the option itself: %s', async (_, text) => {
    expect(String(await read(text))).toBe(text);
  });

  test('any file outside a job', async () => {
    expect(String(await read(join(builds, 'app/keys/key.pub'), {}))).toBe(PEM);
  });
});

describe('a digest', () => {
  const other = `sha256:${'0'.repeat(64)}`;

  test.each([
    ['in the workspace', 'app/keys/key.pub'],
    ['elsewhere', 'app.tmp/key.pub'],
  ])('that is not that of the file is refused %s, and nothing is proposed', async (_, path) => {
    await expect(read(`${join(builds, path)}@${other}`)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      facts: {
        expected: other,
        actual: `sha256:${HEX}`,
        hint: expect.not.stringContaining('--key') as string,
      },
    });
  });

  test.each([HEX.toUpperCase(), HEX.slice(1), `${HEX}0`, ''])(
    'in another form is no name of a file: %s',
    async (hex) => {
      const path = join(builds, `app.tmp/key.pub@sha256:${hex}`);
      await writeFile(path, PEM);
      for (const own of [env, {}])
        await expect(read(path, own)).rejects.toMatchObject({
          code: 'USAGE',
          facts: { hint: expect.stringContaining('--key FILE@sha256:') as string },
        });
    },
  );

  test('is checked outside a job, too', async () => {
    const path = join(builds, 'app.tmp/key.pub');
    await expect(read(`${path}@${other}`, {})).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(String(await read(`${path}@sha256:${HEX}`, {}))).toBe(PEM);
  });
});

import { mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { drayage } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { listFiles } from '../support/list-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEMO = fixturePath('demo.tar');

let outside: string;
let workspace: string;
beforeEach(async () => {
  outside = await temporaryFolder();
  workspace = await temporaryFolder();
  await mkdir(join(workspace, 'folder'));
  // As an artifact may hold them: a link, and one further down.
  await symlink(outside, join(workspace, 'linked'));
  await symlink(outside, join(workspace, 'folder/linked'));
});

const save = (cwd: string, out: string) => drayage(['save', '--from', DEMO, '-o', out], { cwd });

/** Every option that names something to write, with the path in it. */
const OUTPUTS: [string, (path: string) => string[]][] = [
  ['inspect --html', (path) => ['inspect', 'lay', '--html', `${path}/page.html`]],
  ['load --to docker-archive', (path) => ['load', 'lay', '--to', `docker-archive:${path}/a.tar`]],
  ['load --to oci-archive', (path) => ['load', 'lay', '--to', `oci-archive:${path}/a.tar`]],
  ['load --to oci', (path) => ['load', 'lay', '--to', `oci:${path}/lay`]],
  ['save -o', (path) => ['save', '--from', DEMO, '-o', `${path}/lay`]],
  ['merge -o', (path) => ['merge', 'lay', '-o', `${path}/lay`]],
];

describe.each(OUTPUTS)('%s writes nothing through a link in the workspace', (_, args) => {
  test.each(['linked', 'folder/linked', 'folder/../linked/inner'])('at %s', async (path) => {
    expect((await save(workspace, 'lay')).code).toBe(0);
    const link = path.replace(/^folder\/\.\.\//, '').replace(/\/inner$/, '');
    for (const spelling of [path, join(workspace, path)]) {
      const { code, stderr } = await drayage(args(spelling), { cwd: workspace });
      expect([code, stderr]).toEqual([4, expect.stringContaining(`${link} is a symbolic link`)]);
      // The link may be the user's own.
      expect(stderr).toContain('make a copy without links: cp -rL FROM TO');
    }
    expect(await readdir(outside)).toEqual([]);
  });
});

test('the workspace of a job counts also where the working folder is another, and by any spelling', async () => {
  const elsewhere = await temporaryFolder();
  const alias = join(elsewhere, 'alias');
  await symlink(workspace, alias);
  const env = { ...gitlabJob('123', 'build'), CI_PROJECT_DIR: alias };
  for (const path of [join(workspace, 'linked'), join(alias, 'folder/linked')]) {
    const { code, stderr } = await drayage(['save', '--from', DEMO, '-o', `${path}/lay`], {
      cwd: elsewhere,
      env,
    });
    expect([code, stderr]).toEqual([4, expect.stringContaining('is a symbolic link')]);
  }
  expect(await readdir(outside)).toEqual([]);
});

test('outside of the workspace a path may lead through links', async () => {
  const cwd = join(workspace, 'folder');
  const page = join(workspace, 'linked/page.html');
  expect((await save(cwd, 'lay')).code).toBe(0);
  expect((await drayage(['inspect', 'lay', '--html', page], { cwd })).code).toBe(0);
  expect((await listFiles(outside)).map((file) => file.path)).toEqual(['page.html']);
});

test('a link in the place of the file itself is refused', async () => {
  await writeFile(join(outside, 'precious'), 'x');
  await symlink(join(outside, 'precious'), join(workspace, 'page.html'));
  expect((await save(workspace, 'lay')).code).toBe(0);
  const { code } = await drayage(['inspect', 'lay', '--html', 'page.html'], { cwd: workspace });
  expect(code).toBe(4);
  expect(await readFile(join(outside, 'precious'), 'utf8')).toBe('x');
});

test('a folder that is not there is named, and nothing is left behind', async () => {
  expect((await save(workspace, 'lay')).code).toBe(0);
  const args = ['load', 'lay', '--to', 'docker-archive:none/a.tar'];
  const { code, stderr } = await drayage(args, { cwd: workspace });
  expect([code, stderr]).toEqual([4, expect.stringContaining('none')]);
  expect((await readdir(workspace)).toSorted()).toEqual(['folder', 'lay', 'linked']);
});

describe('a link below .drayage is refused where the layouts are found, with its name', () => {
  const LINKS: [string, string, string][] = [
    ['to a layout elsewhere', 'job', '../lay'],
    ['to a layout beside it', 'job', '122'],
    ['upwards', 'other', '..'],
    ['to nothing', 'job', 'nowhere'],
    ['to a file', 'oci-layout', '122/oci-layout'],
  ];

  test.each(LINKS)('%s', async (_, name, target) => {
    expect((await save(workspace, 'lay')).code).toBe(0);
    expect((await save(workspace, '.drayage/122')).code).toBe(0);
    await symlink(target, join(workspace, '.drayage', name));
    for (const args of [['inspect'], ['verify'], ['merge', '-o', 'out'], ['load', '--to', 'oci:out']]) {
      const { code, stderr } = await drayage(args, { cwd: workspace });
      expect([code, stderr]).toEqual([
        4,
        expect.stringMatching(new RegExp(`\\.drayage/${name} is a symbolic link.*\n.*without links`)),
      ]);
    }
    expect(await readdir(workspace)).not.toContain('out');
  });

  test.each(['.drayage/other', '.drayage/other/122', '.drayage/other/.drayage/122'])(
    'also as %s',
    async (path) => {
      expect((await save(workspace, '.drayage/122')).code).toBe(0);
      await symlink('..', join(workspace, '.drayage/other'));
      for (const spelling of [path, join(workspace, path)]) {
        const { code, stderr } = await drayage(['inspect', spelling], { cwd: workspace });
        expect([code, stderr]).toEqual([4, expect.stringContaining('.drayage/other is a symbolic link')]);
      }
    },
  );

  test.each(['blobs', 'blobs/sha256', 'index.json', 'oci-layout'])('%s of a layout, too', async (name) => {
    expect((await save(workspace, '.drayage/122')).code).toBe(0);
    const path = join(workspace, '.drayage/122', name);
    await rename(path, join(outside, 'moved'));
    await symlink(join(outside, 'moved'), path);
    const { code, stderr } = await drayage(['load', '--to', 'oci:out'], { cwd: workspace });
    expect([code, stderr]).toEqual([4, expect.stringContaining(`.drayage/122/${name} is a symbolic link`)]);
  });
});

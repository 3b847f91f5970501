import { chown, cp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { OMITTED_LAYERS } from '../../src/image/annotations.ts';
import { Layout } from '../../src/layout/layout.ts';
import { BASE_NAME } from '../../src/oci/annotations.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { NOBODY } from '../support/as-nobody.ts';
import { drayage } from '../support/cli.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
  const image = sampleImage(['base', 'app']);
  const annotations = { [OMITTED_LAYERS]: '1', [BASE_NAME]: 'registry.example/base:1' };
  await using layout = await Layout.create(join(cwd, 'thin'));
  await layout.update((content) =>
    addSample(content, image, ['app:1'], annotations, image.layers.slice(0, 1)),
  );
  await mkdir(join(cwd, 'cache'));
  await mkdir(join(cwd, 'others'));
  await writeFile(join(cwd, 'others/file'), 'precious');
});

/** The ways to a cache that is not this job's, and the error of each. */
const CACHES: Record<string, { plant: () => Promise<void>; expected: object; needsRoot?: true }> = {
  'that is a link': {
    plant: async () => {
      await rm(join(cwd, 'cache'), { recursive: true });
      await symlink('others', join(cwd, 'cache'));
    },
    expected: { code: 'LINK', path: expect.stringMatching(/cache$/) },
  },
  'whose folder of the project is a link': {
    plant: () => symlink('../others', join(cwd, 'cache/no-project')),
    expected: { code: 'LINK', path: expect.stringMatching(/no-project$/) },
  },
  'whose folder of the project is a file': {
    plant: () => cp(join(cwd, 'others/file'), join(cwd, 'cache/no-project')),
    expected: { code: 'LINK', path: expect.stringMatching(/no-project$/) },
  },
  'that belongs to somebody else': {
    plant: async () => {
      await mkdir(join(cwd, 'cache/no-project'));
      await chown(join(cwd, 'cache/no-project'), NOBODY, NOBODY);
    },
    expected: { code: 'UNSAFE', message: expect.stringContaining('no-project') },
    needsRoot: true,
  },
};
const isRoot = process.geteuid?.() === 0;
const planted = Object.entries(CACHES).filter(([, { needsRoot }]) => isRoot || needsRoot !== true);

/** The commands that open the cache only when a layer is omitted. */
const COMMANDS: Record<string, () => Promise<string[]>> = {
  'load into a daemon': async () => ['load', 'thin', '--host', (await FakeDaemon.start()).host],
  'load into an archive for docker': async () => ['load', 'thin', '--to', 'docker-archive:a.tar'],
  'load into an OCI archive': async () => ['load', 'thin', '--to', 'oci-archive:a.tar'],
};

test.each(
  planted.flatMap(([how, cache]) =>
    Object.entries(COMMANDS).map(([what, command]) => [what, how, command, cache] as const),
  ),
)('%s names a cache %s, and changes nothing there', async (_, _how, command, { plant, expected }) => {
  await plant();
  const args = [...(await command()), '--cache', 'cache', '--offline', '--json'];
  const { stdout } = await drayage(args, { cwd });
  expect(JSON.parse(stdout)).toMatchObject({ error: expected });
  expect(await readdir(join(cwd, 'others'))).toEqual(['file']);
});

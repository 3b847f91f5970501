import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LoadResult, SaveResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { TestDaemon } from './support/daemons.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import { run } from './support/run-command.ts';

const BUILD = gitlabJob('123', 'build');
const TEST = gitlabJob('124', 'test');
const OWN = '.drayage/123';
const DOCKERFILE = 'FROM scratch\nCOPY Dockerfile /\nARG X\nLABEL x=$X\n';

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
  await writeFile(join(cwd, 'Dockerfile'), DOCKERFILE);
});

/** Every blob, with what tells whether it was written again. */
async function blobsOf(layout: string): Promise<string[]> {
  const folder = join(cwd, layout, 'blobs/sha256');
  const names = (await readdir(folder)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const { ino, mtimeMs } = await stat(join(folder, name));
      return `${name} ${ino} ${mtimeMs}`;
    }),
  );
}

/** Adopts what a builder wrote, and checks that no blob was touched. */
async function adopt(...args: string[]): Promise<SaveResult['images']> {
  const before = await blobsOf(OWN);
  const { images } = await drayageJson<SaveResult>(['save', '--from', OWN, ...args], { cwd, env: BUILD });
  expect(await blobsOf(OWN)).toEqual(before);
  expect(await drayage(['verify', OWN], { cwd })).toMatchObject({ code: 0 });
  return images;
}

describe('what buildx wrote', () => {
  const skip = skipReason('docker-28-containerd') !== undefined;
  let daemon: TestDaemon;
  beforeAll(async () => {
    if (!skip) daemon = await startDaemon('docker-28-containerd');
  });
  afterAll(async () => {
    if (!skip) await daemon.stop();
  });

  const build = async (...args: string[]): Promise<void> => {
    const output = `type=oci,tar=false,dest=${join(cwd, OWN)}`;
    const files = ['--metadata-file', join(cwd, 'build.json'), '--iidfile', join(cwd, 'image.id')];
    const own = args.map((arg) => arg.replace(/^OCI/, output));
    const { code, stderr } = await daemon.docker(['buildx', 'build', '--quiet', ...files, ...own, cwd]);
    expect(`${code} ${code === 0 ? '' : stderr}`).toBe('0 ');
  };

  test.skipIf(skip).each<[string, string[], string[], string | null]>([
    ['beside an image', ['--output', 'type=image,name=app:1', '--output', 'OCI,name=app:1'], [], 'app:1'],
    ['with one tag for both', ['--tag', 'app:2', '--output', 'type=image', '--output', 'OCI'], [], 'app:2'],
    ['without a name', ['--output', 'OCI'], [], null],
    ['without a name, by its ID', ['--output', 'OCI'], ['--iidfile', 'image.id'], null],
    ['without a name, which is given', ['--output', 'OCI'], ['app:3'], 'app:3'],
    [
      'in another compression than the image of the daemon',
      ['--output', 'type=image,name=app:4', '--output', 'OCI,name=app:4,compression=zstd'],
      [],
      'app:4',
    ],
    [
      'with an attestation',
      ['--attest', 'type=provenance,mode=max', '--output', 'OCI,name=app:5'],
      [],
      'app:5',
    ],
  ])('%s is adopted, and loaded by the next job', async (what, args, named, name) => {
    await build('--build-arg', `X=${what}`, ...args);
    const given = named.length > 0 ? named : ['--metadata-file', 'build.json'];
    const images = await adopt(...given);
    expect(images.map((image) => image.name)).toEqual([name]);
    const entries = JSON.parse(await readFile(join(cwd, OWN, 'index.json'), 'utf8')) as {
      manifests: { mediaType: string }[];
    };
    if (what === 'with an attestation')
      expect(entries.manifests.map(({ mediaType }) => mediaType)).toEqual([
        'application/vnd.oci.image.index.v1+json',
      ]);
    const load = ['load', '--host', daemon.host];
    const loaded = await drayageJson<LoadResult>(load, { cwd, env: TEST });
    expect(loaded.images.map(({ id }) => id)).toEqual(images.map(({ id }) => id));
    const { stdout } = await daemon.docker([
      'inspect',
      '--format',
      '{{index .Config.Labels "x"}}',
      loaded.images[0]?.ref ?? '',
    ]);
    expect(stdout.trim()).toBe(what);
  });
});

const NO_BUILDAH = spawnSync('buildah', ['--version']).error !== undefined;

describe.skipIf(NO_BUILDAH)('what buildah wrote', () => {
  let digest: string;
  beforeEach(async () => {
    const store = ['--root', join(cwd, 'root'), '--runroot', join(cwd, 'run'), '--storage-driver', 'vfs'];
    const buildah = async (...args: string[]): Promise<void> => {
      const { code, stderr } = await run('buildah', [...store, ...args], {
        env: { PATH: '/usr/bin:/bin', HOME: cwd },
      });
      expect(`${code} ${code === 0 ? '' : stderr}`).toBe('0 ');
    };
    await mkdir(join(cwd, '.drayage'));
    await buildah('bud', '--isolation', 'chroot', '--tag', 'app', '--file', join(cwd, 'Dockerfile'), cwd);
    await buildah('push', 'app', `oci:${join(cwd, OWN)}:app:1`);
    await buildah(
      'push',
      '--digestfile',
      join(cwd, 'digest'),
      'app',
      `oci:${join(cwd, '.drayage/nameless')}`,
    );
    digest = (await readFile(join(cwd, 'digest'), 'utf8')).trim();
  });

  test('is adopted by its name', async () => {
    expect(await adopt('app:1')).toMatchObject([{ name: 'app:1', digest }]);
  });

  test('without a name gets one, with its digest', async () => {
    const args = ['save', '--from', '.drayage/nameless', '-o', '.drayage/nameless', `app:2@${digest}`];
    const { images } = await drayageJson<SaveResult>(args, { cwd, env: BUILD });
    expect(images).toMatchObject([{ name: 'app:2', digest }]);
  });
});

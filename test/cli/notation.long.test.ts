import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SaveResult } from '../../src/index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { OCI_INDEX } from '../../src/oci/media-types.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const AMD = sampleImage(['base', 'app'], 'amd64');
const ARM = sampleImage(['base', 'arm'], 'arm64');

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

const run = (...args: string[]) => drayage(args, { cwd });
const saved = (...args: string[]) => drayageJson<SaveResult>(['save', ...args, '-o', 'out'], { cwd });

async function layout(path = 'layout'): Promise<void> {
  const made = await Layout.create(join(cwd, path));
  await made.update(async (transaction) => {
    await addSample(transaction, AMD, ['app:1']);
    await addSample(transaction, ARM, ['arm:1']);
    await addSample(transaction, sampleReferrer(AMD.root));
  });
}

describe('save --from takes what others write', () => {
  test.each([
    ['oci:layout:app:1', ['app:1']],
    ['oci:layout', ['app:1', 'arm:1']],
    ['oci-archive:layout.tar:arm:1', ['arm:1']],
    ['layout.tar', ['app:1', 'arm:1']],
  ])('%s', async (from, names) => {
    await layout();
    expect((await run('load', 'layout', '--to', 'oci-archive:layout.tar')).code).toBe(0);
    const { images } = await saved('--from', from);
    expect(images.map(({ name }) => name)).toEqual(names);
  });

  test.each(['skopeo-oci-archive.tar', 'umoci.layout.tar', 'podman-oci-archive.tar'])(
    'an image in %s by what that tool calls it',
    async (fixture) => {
      const all = await saved('--from', `oci-archive:${fixturePath(fixture)}`);
      const { stderr } = await run(
        'save',
        '--from',
        `oci-archive:${fixturePath(fixture)}:nope`,
        '-o',
        'none',
      );
      const [, called = ''] = /it holds (\S+?)(?:,|\n)/.exec(stderr) ?? [];
      expect(called).not.toMatch(/^$|^sha256:/);
      const { images } = await saved('--from', `oci-archive:${fixturePath(fixture)}:${called}`);
      expect(all.images.map(({ id }) => id)).toContain(images[0]?.id);
    },
  );

  test('a path with a colon is a path where it is there', async () => {
    await layout();
    await rename(join(cwd, 'layout'), join(cwd, 'a:b'));
    expect((await saved('--from', 'oci:a:b')).images).toHaveLength(2);
  });

  test.each([
    ['oci:', 2],
    ['oci:none', 4],
    ['oci-archive:none.tar', 4],
    ['oci:layout:none:1', 4],
  ])('%s ends with %i', async (from, code) => {
    await layout();
    expect((await run('save', '--from', from)).code).toBe(code);
  });
});

describe('load --to writes what others read', () => {
  test('an OCI archive has all images byte for byte, and what refers to them', async () => {
    await layout();
    await run('load', 'layout', '--to', 'oci-archive:all.tar');
    const { images } = await saved('--from', 'all.tar');
    expect(images.map(({ digest }) => digest)).toEqual([AMD.root.digest, ARM.root.digest]);
    expect(await (await Layout.open(join(cwd, 'out'))).referrers(AMD.root)).toHaveLength(1);
  });

  test.each(['oci-archive:one.tar', 'docker-archive:one.tar', 'oci:one'])(
    'one image under another name: %s:other:2',
    async (target) => {
      await layout();
      const { code, stderr } = await run('load', 'layout', '-i', 'app:1', '--to', `${target}:other:2`);
      expect([code, stderr]).toEqual([0, expect.any(String)]);
      const { images } = await saved('--from', target);
      expect(images).toMatchObject([{ name: 'other:2', id: AMD.config.digest }]);
    },
  );

  test('a layout of nested indexes without a single annotation, as some builders write, gets a name', async () => {
    const made = await Layout.create(join(cwd, 'nameless'));
    const nested = sampleIndex([sampleIndex([AMD, ARM])]);
    await made.update((transaction) => addSample(transaction, nested));
    await run('load', 'nameless', '--to', 'oci-archive:named.tar:app:3');
    const { images } = await saved('--from', 'oci-archive:named.tar:app:3');
    expect(images).toMatchObject([{ name: 'app:3', digest: nested.root.digest }]);
  });

  test.each([
    ['oci:one:other:2', 'choose one with --image'],
    ['oci:one:2', 'write the whole name'],
    ['folder:one', 'use oci:DIR'],
  ])('%s of two images is exit 2', async (target, hint) => {
    await layout();
    const { code, stderr } = await run('load', 'layout', '--to', target);
    expect([code, stderr]).toEqual([2, expect.stringContaining(hint)]);
  });

  test('two layouts of two platforms under one name are one image there', async () => {
    await layoutOf('amd', AMD);
    await layoutOf('arm', ARM);
    await run('load', 'amd', 'arm', '--to', 'oci:both');
    await run('merge', 'amd', 'arm', '-o', 'merged');
    const [both, merged] = await Promise.all(
      ['both', 'merged'].map(async (path) => (await Layout.open(join(cwd, path))).resolve('app:1')),
    );
    expect(both?.[0].root.digest).toBe(merged?.[0].root.digest);
  });
});

test('load takes archives, and leaves nothing behind of them', async () => {
  await layout();
  await run('load', 'layout', '--to', 'oci-archive:all.tar');
  const temporary = join(cwd, 'temporary');
  await mkdir(temporary);
  const fake = await FakeDaemon.start();
  const { code, stdout, stderr } = await drayage(
    [
      'load',
      'oci-archive:all.tar:app:1',
      `docker-archive:${fixturePath('docker-20.10.tar')}`,
      '--host',
      fake.host,
    ],
    { cwd, env: { TMPDIR: temporary } },
  );
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  expect(stdout).toContain('also app:1');
  expect(stdout).not.toContain('arm:1');
  const { readdir } = await import('node:fs/promises');
  expect(await readdir(temporary)).toEqual([]);
});

describe('what is said of layouts', () => {
  test('merge takes oci:DIR and archives, and writes to oci:DIR', async () => {
    await layoutOf('amd', AMD);
    await layoutOf('arm', ARM);
    await run('load', 'arm', '--to', 'oci-archive:arm.tar');
    const { code, stderr } = await run('merge', 'oci:amd', 'oci-archive:arm.tar', '-o', 'oci:merged');
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    const [image, ...others] = await (await Layout.open(join(cwd, 'merged'))).images();
    expect([image?.root.mediaType, others]).toEqual([OCI_INDEX, []]);
  });

  test('save --base-layout leaves out what an archive holds, and load reads it there', async () => {
    await layoutOf('amd', AMD);
    await layoutOf('arm', ARM);
    await run('load', 'arm', '--to', 'oci-archive:arm.tar');
    const { images } = await saved('--from', 'oci:amd', '--base-layout', 'oci-archive:arm.tar');
    expect(images[0]?.layers.map(({ status }) => status)).toEqual(['omitted', 'written']);
    const load = ['load', 'out', '-i', AMD.root.digest, '--to', 'oci:whole'];
    expect(await run(...load, 'oci-archive:arm.tar')).toMatchObject({ code: 0 });
    expect(await (await Layout.open(join(cwd, 'whole'))).has(AMD.layers[0] ?? expect.fail())).toBe(true);
  });

  test.each([
    [['prune', 'oci:layout'], 0, ''],
    [['prune', 'oci:layout:app:1'], 2, 'choose the image separately: -i app:1'],
    [['prune', 'oci-archive:all.tar'], 2, 'drayage save --from oci-archive:all.tar -o DIR'],
    [['fetch', '--complete', 'oci:layout'], 0, ''],
    [
      ['fetch', '--complete', 'docker-archive:all.tar'],
      2,
      'drayage save --from docker-archive:all.tar -o DIR',
    ],
  ])('%j ends with %i', async (args, code, hint) => {
    await layout();
    expect(await run(...args)).toMatchObject({ code, stderr: expect.stringContaining(hint) as string });
  });
});

/** A layout with one image, `app:1`. */
async function layoutOf(path: string, image: SampleImage): Promise<void> {
  const made = await Layout.create(join(cwd, path));
  await made.update((transaction) => addSample(transaction, image, ['app:1']));
}

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoadResult, SaveResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import type { TestDaemon } from './support/daemons.ts';
import { run } from './support/run-command.ts';

const { PATH = '' } = process.env;
const env = { PATH, HOME: '/nonexistent' };

/** Runs a tool of another project and expects it to succeed. */
async function tool(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, { env });
  expect(`${code} ${stderr}`, `${command} ${args.join(' ')}`).toMatch(/^0 /);
  return stdout;
}

describe.skipIf(skipReason('docker-20.10') !== undefined)('our layouts in the tools of others', () => {
  let folder: string;
  let saved: SaveResult;
  const layout = (): string => join(folder, 'layout');

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drayage-peers-'));
    const args = ['save', '--from', fixturePath('docker-20.10.tar'), '-o', layout(), '--compress', 'gzip'];
    saved = await drayageJson<SaveResult>(args, { cwd: folder });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const named = () => {
    const image = saved.images.find(({ name }) => name !== null);
    if (image?.name == null) throw new Error('the fixture has no named image');
    return { ...image, name: image.name };
  };

  test('skopeo inspect finds an image by name and reads its config', async () => {
    const { name, digest, layers } = named();
    const inspected = JSON.parse(await tool('skopeo', 'inspect', `oci:${layout()}:${name}`)) as {
      Digest: string;
      Layers: string[];
    };
    expect(inspected.Digest).toBe(digest);
    expect(inspected.Layers).toEqual(layers.map((layer) => layer.digest));
    const config = JSON.parse(await tool('skopeo', 'inspect', '--config', `oci:${layout()}:${name}`)) as {
      rootfs: { diff_ids: string[] };
    };
    expect(config.rootfs.diff_ids).toEqual(layers.map(({ diffId }) => diffId));
  });

  test('skopeo copies an image into a docker archive', async () => {
    const archive = join(folder, 'skopeo.tar');
    await tool(
      'skopeo',
      '--insecure-policy',
      'copy',
      `oci:${layout()}:${named().name}`,
      `docker-archive:${archive}`,
    );
    const back = await drayageJson<SaveResult>(['save', '--from', archive, '-o', join(folder, 'back')], {
      cwd: folder,
    });
    expect(back.images[0]?.layers.map(({ diffId }) => diffId)).toEqual(
      named().layers.map(({ diffId }) => diffId),
    );
  });

  test('umoci lists the names and unpacks an image', async () => {
    const { name } = named();
    expect((await tool('umoci', 'ls', '--layout', layout())).split('\n')).toContain(name);
    const bundle = join(folder, 'bundle');
    await tool('umoci', 'unpack', '--image', `${layout()}:${name}`, bundle);
    expect((await readdir(join(bundle, 'rootfs'))).length).toBeGreaterThan(0);
  });

  test('gzip reads every layer blob', async () => {
    for (const { digest } of named().layers) {
      await tool('sh', '-c', `gzip -t < '${join(layout(), 'blobs/sha256', digest.slice(7))}'`);
    }
  });

  test('a layout that skopeo made loads through us', async () => {
    const made = join(folder, 'made-by-skopeo');
    const source = `docker-archive:${fixturePath('skopeo-docker-archive.tar')}`;
    await tool('skopeo', '--insecure-policy', 'copy', source, `oci:${made}:example/peer:1`);
    const index = JSON.parse(await readFile(join(made, 'index.json'), 'utf8')) as {
      manifests: { digest: string }[];
    };
    const daemon: TestDaemon = await startDaemon('docker-20.10');
    try {
      const args = ['load', made, '--host', daemon.host];
      const { images } = await drayageJson<LoadResult>(args, { cwd: folder });
      expect(images[0]).toMatchObject({
        name: 'example/peer:1',
        digest: index.manifests[0]?.digest,
        status: 'loaded',
      });
      const { stdout } = await daemon.docker(['image', 'inspect', '--format', '{{.Id}}', 'example/peer:1']);
      expect(stdout.trim()).toBe(images[0]?.id);
    } finally {
      await daemon.stop();
    }
  });
});

describe.skipIf(skipReason('docker-20.10') !== undefined)('the demo with a daemon', () => {
  test('carries its images out and in again and leaves the daemon as it was', async () => {
    const daemon = await startDaemon('docker-20.10');
    try {
      const script = new URL('../../scripts/demo.mjs', import.meta.url).pathname;
      const { code, stdout, stderr } = await run(process.execPath, [script], {
        env: { ...env, DOCKER_HOST: daemon.host },
      });
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout).toContain('every digest, size and diffID is correct');
      expect((await daemon.docker(['image', 'ls', '-aq'])).stdout).toBe('');
    } finally {
      await daemon.stop();
    }
  });
});

describe.skipIf(skipReason('docker-20.10') !== undefined)('damage on the way', () => {
  test.each(['config', 'layer', 'manifest'])(
    'a flipped byte in the %s is exit 4, and the daemon is unchanged',
    async (what) => {
      const folder = await mkdtemp(join(tmpdir(), 'drayage-damage-'));
      const daemon = await startDaemon('docker-20.10');
      try {
        const layout = join(folder, 'layout');
        const args = ['save', '--from', fixturePath('demo.tar'), '-o', layout];
        const { images } = await drayageJson<SaveResult>(args, { cwd: folder });
        const [image] = images;
        const digest =
          what === 'config' ? image?.id : what === 'layer' ? image?.layers[1]?.digest : image?.digest;
        const { writeFile } = await import('node:fs/promises');
        const file = join(layout, 'blobs/sha256', (digest ?? '').slice(7));
        const bytes = await readFile(file);
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x10;
        await writeFile(file, bytes);
        const { code, stderr } = await drayage(['load', layout, '--host', daemon.host], { cwd: folder });
        expect(code).toBe(4);
        expect(stderr).toContain((digest ?? '').slice(7));
        expect((await daemon.docker(['image', 'ls', '-aq'])).stdout).toBe('');
      } finally {
        await daemon.stop();
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});

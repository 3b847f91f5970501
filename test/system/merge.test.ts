import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MergeResult, SaveResult } from '../../src/index.ts';
import { drayageJson } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { run } from './support/run-command.ts';

const { PATH = '' } = process.env;
const NAME = 'example/multi:1';
const PLATFORMS = ['amd64', 'arm64'] as const;

describe.skipIf(lacksTools())('layouts of two platforms, merged, in the tools of others', () => {
  let folder: string;
  let digest: string;
  const parts = new Map<string, string>();
  const layout = (name: string): string => join(folder, name);

  /** Runs a tool of another project and expects it to succeed. */
  const tool = async (command: string, ...args: string[]): Promise<string> => {
    const env = { PATH, HOME: folder };
    const { code, stdout, stderr } = await run(command, args, { env });
    expect(`${code} ${stderr}`, `${command} ${args.join(' ')}`).toMatch(/^0 /);
    return stdout;
  };
  const skopeo = (...args: string[]): Promise<string> => tool('skopeo', '--insecure-policy', ...args);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drayage-merge-'));
    const archive = fixturePath('docker-28-containerd-platforms.tar');
    for (const platform of PLATFORMS) {
      const args = ['save', '--from', archive, '--platform', `linux/${platform}`, '-o', layout(platform)];
      const { images } = await drayageJson<SaveResult>(args, { cwd: folder });
      parts.set(platform, images[0]?.digest ?? '');
    }
    const args = ['merge', ...PLATFORMS.map(layout), '-o', layout('merged')];
    const { images } = await drayageJson<MergeResult>(args, { cwd: folder });
    digest = images[0]?.digest ?? '';
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('skopeo sees an index of two, each with its platform', async () => {
    const raw = await skopeo('inspect', '--raw', `oci:${layout('merged')}:${NAME}`);
    const { mediaType, manifests } = JSON.parse(raw) as {
      mediaType: string;
      manifests: { digest: string; platform: { os: string; architecture: string } }[];
    };
    expect(mediaType).toBe('application/vnd.oci.image.index.v1+json');
    expect(manifests.map(({ digest: part, platform }) => [part, platform])).toEqual(
      PLATFORMS.map((architecture) => [parts.get(architecture), { architecture, os: 'linux' }]),
    );
  });

  test.each(PLATFORMS)('skopeo takes the image for %s out of it', async (architecture) => {
    const source = `oci:${layout('merged')}:${NAME}`;
    const inspected = await skopeo('--override-arch', architecture, 'inspect', '--config', source);
    expect(JSON.parse(inspected)).toMatchObject({ architecture });
  });

  test('skopeo copies all of it, and the digest stays', async () => {
    const target = `oci:${layout('copied')}:${NAME}`;
    await skopeo('copy', '--all', '--preserve-digests', `oci:${layout('merged')}:${NAME}`, target);
    const { images } = await drayageJson<SaveResult>(['save', '--from', target, '-o', layout('back')], {
      cwd: folder,
    });
    expect(images[0]?.digest).toBe(digest);
  });

  test('umoci lists its name', async () => {
    expect((await tool('umoci', 'ls', '--layout', layout('merged'))).split('\n')).toContain(NAME);
  });

  test('skopeo reads the OCI archive that load writes of both layouts', async () => {
    const archive = layout('both.tar');
    const args = ['load', ...PLATFORMS.map(layout), '--to', `oci-archive:${archive}`];
    await drayageJson<object>(args, { cwd: folder });
    const raw = await skopeo('inspect', '--raw', `oci-archive:${archive}:${NAME}`);
    expect(raw).toBe(await skopeo('inspect', '--raw', `oci:${layout('merged')}:${NAME}`));
  });

  test('layouts that skopeo and umoci made, with tags of theirs, are merged and pruned', async () => {
    await skopeo('copy', `oci:${layout('amd64')}:${NAME}`, `oci:${layout('theirs')}:latest`);
    await tool('umoci', 'tag', '--image', `${layout('theirs')}:latest`, 'stable');
    const back = ['save', '--from', `oci:${layout('theirs')}:stable`, '-o', layout('mine')];
    expect((await drayageJson<SaveResult>(back, { cwd: folder })).images).toMatchObject([
      { digest: parts.get('amd64'), name: null },
    ]);
    await drayageJson<object>(['prune', layout('theirs'), '-i', 'latest'], { cwd: folder });
    expect(await tool('umoci', 'ls', '--layout', layout('theirs'))).toBe('stable\n');
    expect(JSON.parse(await skopeo('inspect', `oci:${layout('theirs')}:stable`))).toMatchObject({
      Architecture: 'amd64',
    });
  });
});

function lacksTools(): boolean {
  const missing = ['skopeo', 'umoci'].filter((name) => !existsSync(`/usr/bin/${name}`));
  if (missing.length > 0 && process.env['DRAYAGE_REQUIRE_SYSTEM'] === '1')
    throw new Error(`${missing.join(', ')} missing: run scripts/install-system.sh`);
  return missing.length > 0;
}

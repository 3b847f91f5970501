import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { merge } from '../../src/verbs/merge.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { PromotedImage } from '../../src/verbs/promote/promote.ts';
import { promote } from '../../src/verbs/promote/promote.ts';
import { Registries } from '../../src/registry/registries.ts';
import { save } from '../../src/verbs/save/save.ts';
import { fixtureArchive } from '../support/fixtures.ts';
import { freePort } from '../support/front.ts';
import type { DaemonKind } from './support/daemons.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import type { TestRegistry } from './support/registry.ts';
import { registrySkipReason, startRegistry } from './support/registry.ts';
import { run } from './support/run-command.ts';

const { PATH = '' } = process.env;
const NAME = 'example/multi:1';
const PLATFORMS = ['amd64', 'arm64'] as const;
const KINDS: readonly DaemonKind[] = ['docker-20.10', 'docker-28-graph', 'docker-28-containerd'];

describe.skipIf(registrySkipReason() !== undefined)('layouts of two platforms, merged and promoted', () => {
  let folder: string;
  let registry: TestRegistry;
  let ref: string;
  let promoted: PromotedImage | undefined;
  const parts = new Map<string, Digest | undefined>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drayage-merged-'));
    registry = await startRegistry();
    ref = `${registry.host}/multi:1`;
    const from: Layout[] = [];
    for (const architecture of PLATFORMS) {
      const layout = await Layout.create(join(folder, architecture));
      const archive = fixtureArchive('docker-28-containerd-platforms.tar');
      const platform = { os: 'linux', architecture };
      const { images } = await save({ from: archive, platform, to: layout, compress: 'gzip' });
      parts.set(architecture, images[0]?.digest);
      from.push(layout);
    }
    const to = await Layout.create(join(folder, 'merged'));
    await merge({ from, to });
    await using registries = new Registries();
    const promotions = [{ image: NAME, to: [ref] }];
    const { images } = await promote({ from: [to], promotions, registries });
    promoted = images[0];
  });
  afterAll(async () => {
    await registry.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('are one index of two for skopeo', async () => {
    const args = ['inspect', '--raw', '--tls-verify=false', `docker://${ref}`];
    const { stdout } = await run('skopeo', args, { env: { PATH, HOME: folder } });
    const { manifests } = JSON.parse(stdout) as {
      manifests: { digest: string; platform: { architecture: string } }[];
    };
    expect(manifests.map(({ digest, platform }) => [platform.architecture, digest])).toEqual([...parts]);
  });

  test.each(KINDS.filter((kind) => skipReason(kind) === undefined))(
    '%s pulls each platform by the one tag',
    async (kind) => {
      const daemon = await startDaemon(kind, { listen: ['-H', `tcp://127.0.0.1:${await freePort()}`] });
      onTestFinished(() => daemon.stop());
      for (const architecture of PLATFORMS) {
        const pulled = await daemon.docker(['pull', '--platform', `linux/${architecture}`, ref]);
        expect(`${pulled.code} ${pulled.stderr}`).toBe('0 ');
        expect(pulled.stdout).toContain(`Digest: ${promoted?.digest}`);
        const format = ['--format', '{{.Os}}/{{.Architecture}}'];
        const { stdout } = await daemon.docker(['image', 'inspect', ...format, ref]);
        expect(stdout.trim()).toBe(`linux/${architecture}`);
        // The next one is not to be there by chance.
        expect((await daemon.docker(['rmi', '-f', ref])).code).toBe(0);
      }
    },
  );
});

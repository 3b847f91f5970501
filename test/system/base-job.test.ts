import { randomBytes } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LoadResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import type { ZipMethod } from '../support/job-chain.ts';
import { JobChain } from '../support/job-chain.ts';
import type { DaemonKind, TestDaemon } from './support/daemons.ts';
import { DAEMON_KINDS, skipReason, startDaemon } from './support/daemons.ts';
import { identify } from './support/identity.ts';
import { buildTinyImage } from './support/images.ts';

/** More than the documents of an image and the directories of its artifacts take up. */
const SLACK = 64 * 1024;
const PIPELINES = ['1', '2', '3', '4', '5'];
const text = (): string => randomBytes(200_000).toString('hex');

async function start(kind: DaemonKind): Promise<TestDaemon> {
  const daemon = await startDaemon(kind);
  onTestFinished(async () => daemon.stop());
  return daemon;
}

/** Each pipeline changes one layer of the image of the one before, from the lowest to the highest. */
function layersOf(pipeline: number, versions: readonly (readonly string[])[]): string[] {
  return versions.map((texts, layer) => texts[layer === 0 ? 0 : pipeline >= layer ? 1 : 0] ?? '');
}

/** What a job sees of a daemon: its images and names. */
async function imagesOf(daemon: TestDaemon): Promise<string> {
  return (await daemon.docker(['images', '--all', '--digests'])).stdout;
}

const load = (daemon: TestDaemon, id: string): string[] => ['load', '--job-id', id, '--host', daemon.host];

describe.each(DAEMON_KINDS)('five pipelines in a row on %s', (kind) => {
  const skip = skipReason(kind) !== undefined;

  // The runner compresses with deflate; with FF_USE_FASTZIP and the fastest level it only stores. GitLab sends parts of an
  // archive itself, or redirects to its object storage.
  test.skipIf(skip).each<[ZipMethod, string]>([
    ['deflated', 'object storage'],
    ['stored', 'GitLab itself'],
  ])('ship and read only what is new, in zips whose files are %s, by %s', async (method, sender) => {
    const chain = await JobChain.start({ describes: true, redirect: sender === 'object storage' });
    const builder = await start(kind);
    const versions = PIPELINES.map(() => [text(), text()]);
    const own: number[] = [];
    const total: number[] = [];
    const ids: string[] = [];
    for (const [i, id] of PIPELINES.entries()) {
      await buildTinyImage(builder, ['app:1'], { layers: layersOf(i, versions) });
      const { configDigest } = await identify(builder, 'app:1');
      const saved = await chain.save(id, 'app:1', '--base-job', 'build', '--host', builder.host);
      const layers = saved.images[0]?.layers ?? [];
      const sizes = layers.map(({ size, status }) => ({ size, own: status === 'omitted' ? 0 : size }));
      own.push(sizes.reduce((sum, layer) => sum + layer.own, 0));
      total.push(sizes.reduce((sum, layer) => sum + layer.size, 0));
      ids.push(configDigest);
      expect(saved.images[0]?.id).toBe(configDigest);
      expect(layers.filter(({ status }) => status !== 'omitted')).toHaveLength(i === 0 ? 5 : 1);
      const archive = await chain.ship(id, { method });
      expect(archive.length).toBeLessThan((own[i] ?? 0) + SLACK);
    }

    const refusing = await start(kind);
    const empty = await imagesOf(refusing);
    for (const [i, id] of PIPELINES.slice(0, -1).entries()) {
      chain.refuse(id, i % 2 === 0 ? 404 : 410);
      const { code, stderr } = await drayage(load(refusing, '5'), {
        cwd: chain.cwd,
        env: chain.envOf('5'),
      });
      expect(`${code} ${stderr}`).toMatch(/^3 /);
      expect(stderr).toContain(`cannot be read from its base job ${id} of project 12`);
      expect(await imagesOf(refusing)).toBe(empty);
    }
    chain.gitlab.faults.api = undefined;

    // A containerd store keeps blobs of a failed load until it collects its garbage.
    const target = await start(kind);

    const loaded = async (id: string): Promise<{ bytes: number; images: LoadResult['images'] }> => {
      const before = chain.gitlab.sent;
      const { images } = await drayageJson<LoadResult>(load(target, id), {
        cwd: chain.cwd,
        env: chain.envOf(id),
      });
      expect((await identify(target, images[0]?.ref ?? '')).configDigest).toBe(images[0]?.id);
      return { bytes: chain.gitlab.sent - before, images };
    };
    const cold = await loaded('4');
    expect(cold.images).toMatchObject([{ id: ids[3], status: 'loaded', layersPresent: 0 }]);
    expect(cold.bytes).toBeGreaterThan(total[3] ?? 0);
    expect(cold.bytes).toBeLessThan((total[3] ?? 0) + PIPELINES.length * SLACK);
    const warm = await loaded('5');
    expect(warm.images).toMatchObject([{ id: ids[4], status: 'loaded', layersSent: 1 }]);
    expect(warm.bytes).toBeGreaterThan(own[4] ?? 0);
    expect(warm.bytes).toBeLessThan((own[4] ?? 0) + SLACK);
  });
});

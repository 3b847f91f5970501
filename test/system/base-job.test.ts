import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { LoadResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import type { ZipMethod } from '../support/job-chain.ts';
import { JobChain } from '../support/job-chain.ts';
import type { DaemonKind, TestDaemon } from './support/daemons.ts';
import { DAEMON_KINDS, skipReason, startDaemon } from './support/daemons.ts';
import { identify } from './support/identity.ts';
import { buildTinyImage } from './support/images.ts';

/** More than the documents of an image and the directory of its artifact take up. */
const SLACK = 64 * 1024;
/** More than what is read of an artifact beside layers, in all of them less than one layer. */
const SEARCH = 32 * 1024;
const PIPELINES = ['1', '2', '3', '4', '5'];
/**
 * The runner compresses with deflate; with FF_USE_FASTZIP and the fastest level it only stores. GitLab sends parts of an
 * archive itself, or redirects to its object storage.
 */
const WAYS: readonly [ZipMethod, string][] = [
  ['deflated', 'object storage'],
  ['stored', 'GitLab itself'],
];
const text = (): string => randomBytes(200_000).toString('hex');

/** Each pipeline changes one layer of the image of the one before, from the lowest to the highest. */
function layersOf(pipeline: number, versions: readonly (readonly string[])[]): string[] {
  return versions.map((texts, layer) => texts[layer === 0 ? 0 : pipeline >= layer ? 1 : 0] ?? '');
}

/** What a job sees of a daemon: its images and names. */
async function imagesOf(daemon: TestDaemon): Promise<string> {
  return (await daemon.docker(['images', '--all', '--digests'])).stdout;
}

/** Removes all images, so that the next load is a cold one. */
async function empty(daemon: TestDaemon): Promise<void> {
  const { stdout } = await daemon.docker(['images', '--all', '--quiet', '--no-trunc']);
  const ids = [...new Set(stdout.split('\n').filter(Boolean))];
  expect(await daemon.docker(['rmi', '--force', ...ids])).toMatchObject({ code: 0 });
}

const load = (daemon: TestDaemon, id: string): string[] => ['load', '--job-id', id, '--host', daemon.host];
const sum = (sizes: readonly number[]): number => sizes.reduce((all, size) => all + size, 0);

/** What a build job has saved: its image, and the sizes of its layers, bottom first. */
interface Saved {
  id: string;
  sizes: number[];
}

/**
 * The layers that a daemon lacks which has the image of the pipeline before: the changed one, and on a graph store those
 * above it, because there a layer is one only with its parents.
 */
function lackedBy(kind: DaemonKind, { sizes }: Saved, pipeline: number): number[] {
  const isGraph = kind === 'docker-20.10' || kind === 'docker-28-graph';
  return isGraph || pipeline === 0 ? sizes.slice(pipeline) : sizes.slice(pipeline, pipeline + 1);
}

describe.each(DAEMON_KINDS)('five pipelines in a row on %s', (kind) => {
  const skip = skipReason(kind) !== undefined;
  let builder: TestDaemon;

  beforeAll(async () => {
    if (skip) return;
    builder = await startDaemon(kind);
    const versions = PIPELINES.map(() => [text(), text()]);
    for (const [i, id] of PIPELINES.entries())
      await buildTinyImage(builder, [`app:${id}`], { layers: layersOf(i, versions) });
  });
  afterAll(async () => builder?.stop());

  /** Saves each image against the job before, and keeps its artifact. */
  async function save(chain: JobChain, method: ZipMethod): Promise<Saved[]> {
    const pipelines: Saved[] = [];
    for (const id of PIPELINES) {
      const image = `app:${id}`;
      const { configDigest } = await identify(builder, image);
      const { images } = await chain.save(id, image, '--base-job', 'build', '--host', builder.host);
      const layers = images[0]?.layers ?? [];
      const stored = layers.filter(({ status }) => status !== 'omitted');
      expect(images[0]?.id).toBe(configDigest);
      expect(stored).toHaveLength(id === '1' ? 5 : 1);
      const archive = await chain.ship(id, { method });
      expect(archive.length).toBeLessThan(sum(stored.map(({ size }) => size)) + SLACK);
      pipelines.push({ id: configDigest, sizes: layers.map(({ size }) => size) });
    }
    return pipelines;
  }

  test.skipIf(skip).each(kind === 'podman' ? WAYS.slice(0, 1) : WAYS)(
    'ship and read only what is new, in zips whose files are %s, by %s',
    async (method, sender) => {
      const chain = await JobChain.start({ describes: true, redirect: sender === 'object storage' });
      const saved = await save(chain, method);
      const target = await startDaemon(kind);
      onTestFinished(async () => target.stop());

      /** Loads the image of a pipeline, and expects that of all layers only these are read and sent. */
      const loads = async (pipeline: number, image: Saved, lacked: readonly number[]): Promise<void> => {
        const id = PIPELINES[pipeline] ?? '';
        const before = chain.gitlab.sent;
        const args = { cwd: chain.cwd, env: chain.envOf(id) };
        const { images } = await drayageJson<LoadResult>(load(target, id), args);
        const read = chain.gitlab.sent - before;
        expect(images).toMatchObject([{ id: image.id, status: 'loaded', layersSent: lacked.length }]);
        expect((await identify(target, images[0]?.ref ?? '')).configDigest).toBe(image.id);
        expect(read).toBeGreaterThan(sum(lacked));
        expect(read).toBeLessThan(sum(lacked) + (lacked.length + 1) * SEARCH);
      };
      for (const [i, image] of saved.entries()) await loads(i, image, lackedBy(kind, image, i));
      for (const [i, image] of saved.entries()) {
        await empty(target);
        await loads(i, image, image.sizes);
      }

      await empty(target);
      const before = await imagesOf(target);
      for (const [i, id] of PIPELINES.slice(0, -1).entries()) {
        chain.refuse(id, i % 2 === 0 ? 404 : 410);
        const { code, stderr } = await drayage(load(target, '5'), { cwd: chain.cwd, env: chain.envOf('5') });
        expect(`${code} ${stderr}`).toMatch(/^3 /);
        expect(stderr).toContain(`cannot be read from its base job ${id} of project 12`);
        expect(await imagesOf(target)).toBe(before);
      }
    },
  );
});

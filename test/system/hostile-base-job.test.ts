import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoadResult, SaveResult } from '../../src/index.ts';
import { makeCargo } from '../docker/cargo.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import type { Lie } from '../support/base-job-lies.ts';
import { LARGE_LIE, LIES } from '../support/base-job-lies.ts';
import { JobChain } from '../support/job-chain.ts';
import { listFiles } from '../support/list-files.ts';
import { zip } from '../support/zip-bytes.ts';
import type { TestDaemon } from './support/daemons.ts';
import { DAEMON_KINDS, skipReason, startDaemon } from './support/daemons.ts';
import { identify } from './support/identity.ts';
import type { TestRegistry } from './support/registry.ts';
import { registrySkipReason, startRegistry } from './support/registry.ts';

/** Not compressible, so that its requests are told from those of documents. */
const SHARED = randomBytes(20_000);
const BASE = makeCargo({ layers: [SHARED] });
const APP = makeCargo({ layers: [SHARED, 'own'] });
const FAR = '2999-01-01T00:00:00Z';
/** More than loads fetch ahead into memory. */
const STREAMED = 70_000_000;
/** Damaged or another layer; or its place did not deliver it as announced. */
const REFUSALS = [3, 4];

interface Scene {
  chain: JobChain;
  run: (...args: string[]) => Promise<CliResult>;
}

/** Saves the app against the lying base job: as the folder `thin`, and as the artifact of job 2. */
async function arrange({ archives, storage, ends }: Lie, images = { base: BASE, app: APP }): Promise<Scene> {
  const chain = await JobChain.start();
  const target = { base: images.base, server: new URL(chain.gitlab.url).origin };
  const { saved, read = saved } = archives(target);
  const env = { ...SIGNING_JOB, ...chain.envOf('3') };
  const run: Scene['run'] = async (...args) => drayage(args, { cwd: chain.cwd, env });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(join(chain.cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const base = { id: 1, name: 'build', expireAt: FAR };
  chain.jobs.push({ ...base, archive: saved });
  await chain.build(images.app);
  expect(await run('load', 'built', '--to', 'docker-archive:app.tar', '--expect', 'none')).toMatchObject({
    code: 0,
  });
  const options = ['--base-job', 'build', '--pipeline', '1', '--compress', 'gzip'];
  const { code, stdout } = await run('save', '--from', 'app.tar', '-o', 'thin', '--json', ...options);
  expect(code).toBe(0);
  if (ends === 'refused') expect((JSON.parse(stdout) as SaveResult).bytes.omitted).toBeGreaterThan(0);
  const members = (await listFiles(join(chain.cwd, 'thin'))).map(async ({ path }) => ({
    path: `.drayage/2/${path}`,
    bytes: await readFile(join(chain.cwd, 'thin', path)),
  }));
  chain.jobs.splice(0, 1, { ...base, archive: read });
  chain.jobs.push({ id: 2, name: 'app', archive: zip(await Promise.all(members)), expireAt: FAR });
  if (storage !== undefined) {
    const lying = storage(target);
    chain.gitlab.faults.storage = (request, response) =>
      request.url?.includes('/bucket/1?') === true ? lying(request, response) : 'pass';
  }
  return { chain, run };
}

const skip =
  registrySkipReason() !== undefined || DAEMON_KINDS.some((kind) => skipReason(kind) !== undefined);
let daemons: TestDaemon[];
let registry: TestRegistry;

/** The images and names of a daemon, as it lists them. */
async function imagesOf(daemon: TestDaemon): Promise<string> {
  return (await daemon.docker(['images', '--all', '--digests'])).stdout;
}

/** A load from the artifact of job 2: it is refused and changes nothing, or brings the true image. */
async function assertLoad({ run }: Scene, { ends }: Lie, daemon: TestDaemon): Promise<void> {
  const before = await imagesOf(daemon);
  const { code, stdout, stderr } = await run('load', '--job-id', '2', '--host', daemon.host, '--json');
  if (ends === 'refused') {
    expect([daemon.kind, REFUSALS.includes(code ?? 1), stderr]).toEqual([daemon.kind, true, stderr]);
  } else {
    expect([daemon.kind, code, stderr]).toEqual([daemon.kind, 0, stderr]);
    const [image] = (JSON.parse(stdout) as LoadResult).images;
    const { configDigest, diffIds, names } = await identify(daemon, image?.ref ?? '');
    expect({ configDigest, diffIds }).toEqual({ configDigest: APP.configDigest, diffIds: APP.diffIds });
    await daemon.docker(['rmi', '--force', ...names]);
  }
  expect(await imagesOf(daemon)).toBe(before);
}

/** The size of the largest blob in a containerd store. */
async function largestBlob({ dataRoot }: TestDaemon): Promise<number> {
  const blobs = await listFiles(join(dataRoot, 'containerd/daemon/io.containerd.content.v1.content/blobs'));
  return Math.max(...blobs.map(({ size }) => size));
}

interface StoredManifest {
  layers: { digest: string; mediaType: string }[];
}

/** Our manifest states nothing about layers but what they are. */
async function assertBareLayers({ cwd }: JobChain, index: string): Promise<void> {
  const { manifests } = JSON.parse(index) as { manifests: { digest: string }[] };
  const [hex = ''] = manifests.map(({ digest }) => digest.replace('sha256:', ''));
  const text = await readFile(join(cwd, 'thin/blobs/sha256', hex), 'utf8');
  const { layers } = JSON.parse(text) as StoredManifest;
  for (const layer of layers) {
    expect(Object.keys(layer)).toEqual(['mediaType', 'digest', 'size']);
    expect(layer.mediaType).toMatch(/^application\/vnd\.oci\.image\.layer\.v1\.tar/);
  }
}

/** The registry has all layers of a manifest. */
async function assertServed(name: string, { layers }: StoredManifest): Promise<void> {
  for (const { digest } of layers) {
    const blob = await fetch(`http://${registry.host}/v2/${name}/blobs/${digest}`, { method: 'HEAD' });
    expect([digest, blob.status]).toEqual([digest, 200]);
  }
}

beforeAll(async () => {
  if (skip) return;
  daemons = await Promise.all(DAEMON_KINDS.map((kind) => startDaemon(kind)));
  registry = await startRegistry();
});
afterAll(async () => {
  for (const daemon of daemons ?? []) await daemon.stop();
  await registry?.stop();
});

describe('no lie of a base job reaches a daemon, a signature, a registry or a file:', () => {
  test.skipIf(skip).each(LIES)('it $what', async (lie) => {
    const scene = await arrange(lie);
    const { chain, run } = scene;
    const isTrue = lie.ends === 'true';
    const ended = async (...args: string[]): Promise<void> => {
      const { code, stderr } = await run(...args);
      expect([args[0], (isTrue ? [0] : REFUSALS).includes(code ?? 1), stderr]).toEqual([
        args[0],
        true,
        stderr,
      ]);
    };
    for (const daemon of daemons) await assertLoad(scene, lie, daemon);
    const index = await readFile(join(chain.cwd, 'thin/index.json'), 'utf8');
    await assertBareLayers(chain, index);
    await ended('sign', 'thin', '--key', 'key.pem');
    expect((await readFile(join(chain.cwd, 'thin/index.json'), 'utf8')) === index).toBe(!isTrue);
    const name = `app/${randomBytes(4).toString('hex')}`;
    const accept = 'application/vnd.oci.image.manifest.v1+json';
    // Whoever names the liar does not have it read beforehand.
    for (const trusted of [['--base-job', 'build'], []]) {
      await ended('promote', 'app:1', `${registry.host}/${name}:1`, '--from', 'thin', ...trusted);
      const manifest = await fetch(`http://${registry.host}/v2/${name}/manifests/1`, { headers: { accept } });
      expect(manifest.ok).toBe(isTrue);
      if (isTrue) await assertServed(name, (await manifest.json()) as StoredManifest);
    }
    for (const form of ['oci-archive', 'docker-archive'])
      await ended('load', '--job-id', '2', '--to', `${form}:${form}.tar`);
    await ended('fetch', '--job-id', '2', '--complete', '-o', 'complete');
    const written = ['complete', 'docker-archive.tar', 'oci-archive.tar'];
    const files = (await readdir(chain.cwd)).filter((file) => written.includes(file));
    expect(files).toEqual(isTrue ? written : []);
  });

  test.skipIf(skip)('a containerd store gets no whole blob of it, although it is streamed', async () => {
    const large = Buffer.alloc(STREAMED, 1);
    const compress = false;
    const app = makeCargo({ layers: [large, 'own'], compress });
    const scene = await arrange(LARGE_LIE, { base: makeCargo({ layers: [large], compress }), app });
    const daemon = daemons.find(({ kind }) => kind === 'docker-28-containerd') ?? expect.fail();
    await assertLoad(scene, LARGE_LIE, daemon);
    expect(await largestBlob(daemon)).toBeLessThan(STREAMED);
  });
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { InspectResult, PromoteResult, SaveResult } from '../../src/index.ts';
import { blobName } from '../../src/oci/layout.ts';
import { buildManifest } from '../../src/oci/manifest.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { skipReason } from './support/daemons.ts';
import type { TestRegistry } from './support/registry.ts';
import { registrySkipReason, startRegistry } from './support/registry.ts';
import { run } from './support/run-command.ts';

const { PATH = '' } = process.env;
const SKIP = skipReason('podman') !== undefined || registrySkipReason() !== undefined;
const SEED = `docker-archive:${fixturePath('skopeo-docker-archive.tar')}`;
const NAME = 'example/peer:1';

let folder: string;
let diffIds: string[];
let registry: TestRegistry;

/** Runs a tool of another project in the folder, and expects it to succeed. */
async function tool(line: string): Promise<string> {
  const { code, stdout, stderr } = await run('sh', ['-c', `cd '${folder}' && ${line}`], {
    env: { PATH, HOME: folder },
  });
  expect(`${code} ${code === 0 ? '' : stderr}`, line).toBe('0 ');
  return stdout.trim();
}

/** Runs a command, and expects it to succeed. */
async function succeed(...args: string[]): Promise<string> {
  const { code, stderr } = await drayage(args, { cwd: folder });
  expect(`${code} ${code === 0 ? '' : stderr}`, args.join(' ')).toBe('0 ');
  return stderr;
}

const saveFrom = async (place: string, out: string): Promise<SaveResult['images']> =>
  (await drayageJson<SaveResult>(['save', '--from', place, '-o', out], { cwd: folder })).images;

async function namesIn(layout: string): Promise<string[]> {
  const { images } = await drayageJson<InspectResult>(['inspect', layout], { cwd: folder });
  return images.flatMap(({ names }) => names).toSorted();
}

beforeAll(async () => {
  if (SKIP) return;
  folder = await mkdtemp(join(tmpdir(), 'drayage-foreign-'));
  registry = await startRegistry();
  const [image] = await saveFrom(SEED, 'seed');
  diffIds = image?.layers.map(({ diffId }) => diffId) ?? [];
  const storage = '--root root --runroot runroot --storage-driver vfs';
  await tool(`skopeo --insecure-policy copy -q ${SEED} oci:skopeo-oci:${NAME}`);
  await tool(`skopeo --insecure-policy copy -q ${SEED} oci-archive:skopeo-oci.tar:${NAME}`);
  await tool(`skopeo --insecure-policy copy -q ${SEED} docker-archive:skopeo-docker.tar:${NAME}`);
  await tool(`skopeo --insecure-policy copy -q ${SEED} dir:skopeo-dir`);
  await tool(`podman ${storage} pull -q oci:skopeo-oci:${NAME} >id`);
  await tool(`podman ${storage} tag "$(cat id)" ${NAME}`);
  for (const format of ['docker-archive', 'oci-archive', 'oci-dir'])
    await tool(`podman ${storage} save -q --format ${format} -o podman-${format} ${NAME}`);
  for (const kind of ['docker-archive', 'oci-archive', 'oci'])
    await tool(`buildah ${storage} push -q ${NAME} ${kind}:buildah-${kind}:${NAME}`);
  await tool(`skopeo --insecure-policy copy -q ${SEED} oci:umoci-oci:base`);
  await tool('umoci tag --image umoci-oci:base v1');
}, 120_000);
afterAll(async () => {
  if (SKIP) return;
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(SKIP)('what another tool wrote goes through every verb', () => {
  test.each([
    ['skopeo', 'oci:skopeo-oci'],
    ['skopeo', 'oci-archive:skopeo-oci.tar'],
    ['skopeo', 'docker-archive:skopeo-docker.tar'],
    ['podman', 'docker-archive:podman-docker-archive'],
    ['podman', 'oci-archive:podman-oci-archive'],
    ['podman', 'oci:podman-oci-dir'],
    ['buildah', 'docker-archive:buildah-docker-archive'],
    ['buildah', 'oci-archive:buildah-oci-archive'],
    ['buildah', 'oci:buildah-oci'],
    ['umoci', 'oci:umoci-oci'],
  ])('%s: %s', async (_, place) => {
    const out = place.replace(/\W/g, '-');
    const images = await saveFrom(place, `${out}.saved`);
    expect(images.map(({ layers }) => layers.map(({ diffId }) => diffId))).toEqual([diffIds]);
    await succeed('verify', `${out}.saved`);
    await succeed('load', place, '--to', `docker-archive:${out}.loaded`);
    await succeed('diff', place, SEED);
    await succeed('merge', place, '-o', `${out}.merged`);
    const args = ['promote', '--from', place, '--to', `${registry.host}/${out}:1`];
    const promoted = await drayageJson<PromoteResult>(args, { cwd: folder });
    expect(promoted.images).toHaveLength(1);
  });

  test('a folder of skopeo’s dir is named as such', async () => {
    const { code, stderr } = await drayage(['save', '--from', 'skopeo-dir', '-o', 'out'], { cwd: folder });
    expect(code).toBe(4);
    expect(stderr).toContain('skopeo copy dir:');
  });
});

test.skipIf(SKIP)('beside a chart and an entry that cannot be read, all images are promoted', async () => {
  await saveFrom('oci:skopeo-oci', 'mixed');
  const type = 'application/vnd.cncf.helm.config.v1+json';
  const config = Buffer.from('{"name":"chart"}');
  const chart = buildManifest(describeBytes(config, type), []);
  for (const bytes of [config, chart.bytes])
    await writeFile(join(folder, 'mixed', blobName(describeBytes(bytes).digest)), bytes);
  const path = join(folder, 'mixed/index.json');
  const index = JSON.parse(await readFile(path, 'utf8')) as { manifests: unknown[] };
  index.manifests.unshift(chart.descriptor, { digest: 7 }, null);
  await writeFile(path, JSON.stringify(index));
  const args = ['promote', '--from', 'mixed', '--all', '--to', `${registry.host}/mixed/{name}:{tag}`];
  const { code, stdout, stderr } = await drayage([...args, '--json'], { cwd: folder });
  expect([code, stderr]).toEqual([0, expect.stringContaining(`it is not an image but ${type}`)]);
  const { images } = JSON.parse(stdout) as PromoteResult;
  expect(images.flatMap(({ tags }) => tags.map(({ ref }) => ref))).toEqual([
    `${registry.host}/mixed/${NAME}`,
  ]);
});

describe.skipIf(SKIP)('after umoci has changed a layout of drayage', () => {
  beforeAll(async () => {
    await saveFrom(`oci:skopeo-oci`, 'ours');
    await tool(`umoci tag --image ours:${NAME} v2`);
  });

  test('an image has the tag of umoci beside its name, in every verb', async () => {
    const names = [NAME, 'example/peer:v2'];
    expect(await namesIn('ours')).toEqual(names);
    const notes = [
      await succeed('save', '--from', 'ours', '-o', 'ours.saved'),
      await succeed('load', 'ours', '--to', 'oci:ours.loaded'),
      await succeed('merge', 'ours', '-o', 'ours.merged'),
    ];
    for (const note of notes) expect(note).toContain('example/peer:v2 is taken');
    for (const layout of ['ours.saved', 'ours.loaded', 'ours.merged'])
      expect(await namesIn(layout)).toEqual(names);
    await succeed('verify', 'ours');
    await succeed('diff', 'ours', 'ours.saved');
    await succeed('load', 'ours', '-i', 'example/peer:v2', '--to', 'docker-archive:ours.tar');
    const all = ['promote', '--from', 'ours', '--all', '--to', `${registry.host}/{name}:{tag}`];
    const { images } = await drayageJson<PromoteResult>(all, { cwd: folder });
    expect(images.flatMap(({ tags }) => tags.map(({ ref }) => ref)).toSorted()).toEqual(
      names.map((name) => `${registry.host}/${name}`),
    );
  });

  test('the layers that it packed and the config that it wrote are read, and it has removed nothing', async () => {
    await tool(`umoci unpack --image ours:${NAME} bundle && echo new > bundle/rootfs/new`);
    await tool('umoci repack --image ours:packed bundle');
    await tool('umoci config --image ours:packed --tag configured --author somebody');
    await tool('umoci gc --layout ours');
    const images = await saveFrom('ours', 'ours.packed');
    const counts = images.map(({ layers }) => layers.length);
    expect(counts).toEqual([diffIds.length, diffIds.length + 1, diffIds.length + 1]);
    await succeed('verify', 'ours', 'ours.packed');
  });
});

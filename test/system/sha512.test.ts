import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoadResult, SaveResult } from '../../src/index.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Index } from '../../src/oci/image-index.ts';
import { blobName, LAYOUT_BYTES } from '../../src/oci/layout.ts';
import type { Manifest } from '../../src/oci/manifest.ts';
import { entry, pax, tar } from '../support/archives/tar-bytes.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { registrySkipReason, startRegistry } from './support/registry.ts';
import type { TestDaemon } from './support/daemons.ts';
import { skipReason, startDaemon } from './support/daemons.ts';

const NAME = 'drayage-demo/api:1.0';

let cwd: string;
let image: SaveResult['images'][number];

/** The files of a layout with the image in an index of one platform, all of it named by sha512. */
async function inSha512(layout: string, root: Descriptor): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const put = (bytes: Buffer, mediaType: string): Descriptor => {
    const digest = digestOf(bytes, 'sha512');
    files.set(blobName(digest), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const read = async ({ digest }: Descriptor): Promise<Buffer> => readFile(join(layout, blobName(digest)));
  const move = async (blob: Descriptor): Promise<Descriptor> => put(await read(blob), blob.mediaType);
  const manifest = JSON.parse((await read(root)).toString()) as Manifest;
  const config = await move(manifest.config);
  const layers = await Promise.all(manifest.layers.map(move));
  const child = put(Buffer.from(JSON.stringify({ ...manifest, config, layers })), root.mediaType);
  const platform = { os: 'linux', architecture: 'amd64' };
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const index: Index = { schemaVersion: 2, mediaType, manifests: [{ ...child, platform }] };
  const top = put(Buffer.from(JSON.stringify(index)), mediaType);
  const annotations = { 'org.opencontainers.image.ref.name': NAME };
  const listed = { schemaVersion: 2, mediaType, manifests: [{ ...top, annotations }] };
  return files.set('index.json', Buffer.from(JSON.stringify(listed))).set('oci-layout', LAYOUT_BYTES);
}

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'drayage-sha512-'));
  const args = ['save', NAME, '--from', fixturePath('demo.tar'), '-o', 'sha256', '--compress', 'gzip'];
  const saved = await drayageJson<SaveResult>(args, { cwd });
  image = saved.images[0] ?? expect.fail('no image in the fixture');
  const layout = join(cwd, 'sha256');
  const { manifests } = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as Index;
  const files = await inSha512(layout, manifests[0] ?? expect.fail('no entry'));
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(cwd, 'sha512', path)), { recursive: true });
    await writeFile(join(cwd, 'sha512', path), bytes);
  }
  const entries = [...files].flatMap(([path, bytes]) => [pax({ path }), entry('blob', bytes)]);
  await writeFile(join(cwd, 'sha512.tar'), tar(...entries));
});

afterAll(() => rm(cwd, { recursive: true, force: true }));

describe.each(['docker-28-graph', 'docker-28-containerd', 'docker-20.10'] as const)('%s', (kind) => {
  const skip = skipReason(kind) !== undefined;
  let daemon: TestDaemon;
  beforeAll(async () => {
    if (!skip) daemon = await startDaemon(kind);
  });
  afterAll(() => daemon?.stop());

  test.skipIf(skip).each(['sha512', 'oci-archive:sha512.tar'])(
    'has an image that is named by sha512 as it has one that is named by sha256: %s',
    async (place) => {
      const args = ['load', place, '--host', daemon.host];
      const { images } = await drayageJson<LoadResult>(args, { cwd });
      expect(images).toMatchObject([{ name: NAME }]);
      const format = '{{json .RootFS.Layers}}';
      const { stdout } = await daemon.docker(['image', 'inspect', '--format', format, NAME]);
      expect(JSON.parse(stdout)).toEqual(image.layers.map(({ diffId }) => diffId));
      const back = `${kind}-${place.length}`;
      const saved = await drayageJson<SaveResult>(['save', NAME, '-o', back, '--host', daemon.host], { cwd });
      expect(saved.images).toMatchObject([{ id: image.id }]);
      // The layers are there by now, whatever names them.
      expect((await drayageJson<LoadResult>(args, { cwd })).images).toMatchObject([{ status: 'present' }]);
      expect((await daemon.docker(['rmi', '-f', NAME])).code).toBe(0);
    },
  );
});

test.skipIf(registrySkipReason() !== undefined)(
  'a registry that knows sha256 only is told as such',
  async () => {
    const registry = await startRegistry();
    const args = ['promote', NAME, `${registry.host}/app:1`, '--from', 'sha512'];
    const { code, stderr } = await drayage(args, { cwd });
    await registry.stop();
    expect(code).toBe(1);
    expect(stderr).toContain('it may not take digests of sha512');
  },
);

import { expect, test } from 'vitest';
import { connectDocker } from '../../../src/docker/daemon.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { buildManifest } from '../../../src/oci/manifest.ts';
import { FakeDaemon } from '../../support/fake-daemon.ts';
import { MemoryContent } from '../../support/memory-content.ts';
import type { TestCargo } from '../cargo.ts';
import { makeCargo } from '../cargo.ts';

/** The image with everything named by its sha512. */
function inSha512(cargo: TestCargo): { root: Descriptor; source: MemoryContent } {
  const source = new MemoryContent();
  const renamed = (digest: Digest, mediaType: string): Descriptor => {
    const bytes = cargo.source.blobs.get(digest) ?? expect.fail(digest);
    const own = digestOf(bytes, 'sha512');
    source.blobs.set(own, bytes);
    return { mediaType, digest: own, size: bytes.length };
  };
  const config = renamed(cargo.configDigest, 'application/vnd.oci.image.config.v1+json');
  const layers = cargo.layers.map(({ digest, mediaType }) => renamed(digest, mediaType));
  const { descriptor, bytes } = buildManifest(config, layers);
  const root = { ...descriptor, digest: digestOf(bytes, 'sha512') };
  source.blobs.set(root.digest, bytes);
  return { root, source };
}

test.each(['graph', 'containerd', 'podman'] as const)(
  'an image that is named by sha512 is in %s what it is when it is named by sha256',
  async (kind) => {
    const fake = await FakeDaemon.start({ kind });
    const daemon = await connectDocker({ host: fake.host });
    const cargo = makeCargo();
    const { root, source } = inSha512(cargo);
    const loaded = await daemon.load(root, source, ['app:1']);
    expect(loaded).toMatchObject({
      status: 'loaded',
      daemonId: kind === 'containerd' ? cargo.root.digest : cargo.configDigest,
    });
    expect((await daemon.inspect('app:1')).diffIds).toEqual(cargo.diffIds);
    expect(await daemon.load(root, source, ['app:2'])).toMatchObject({ status: 'present' });
    expect(await daemon.load(cargo.root, cargo.source, ['app:3'])).toMatchObject({ status: 'present' });
  },
);

test('a blob that is not what its sha512 says is refused, and no name is set', async () => {
  const fake = await FakeDaemon.start({ kind: 'containerd' });
  const daemon = await connectDocker({ host: fake.host });
  const cargo = makeCargo();
  const { root, source } = inSha512(cargo);
  const layer = cargo.source.blobs.get(cargo.layers[1]?.digest ?? expect.fail()) ?? expect.fail();
  const damaged = Buffer.from(layer);
  damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
  source.blobs.set(digestOf(layer, 'sha512'), damaged);
  await expect(daemon.load(root, source, ['app:1'])).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  expect(fake.images).toEqual([]);
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { drain } from '../../src/stream/drain.ts';
import { provenanceOfBuild } from '../../src/attest/statement.ts';
import { readBuild } from '../../src/ci/gitlab/build.ts';
import { Layout } from '../../src/layout/layout.ts';
import { blobName } from '../../src/oci/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { buildManifest } from '../../src/oci/manifest.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, imageOf, sampleImage, sampleIndex } from '../../src/testing/sample-images.ts';
import { diff } from '../../src/verbs/diff.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { inspect } from '../../src/verbs/inspect.ts';
import { load } from '../../src/verbs/load/load.ts';
import { merge } from '../../src/verbs/merge.ts';
import { save } from '../../src/verbs/save/save.ts';
import { sign } from '../../src/verbs/sign.ts';
import { verify } from '../../src/verbs/verify/verify.ts';

import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const CONTENT = Buffer.from('layer nobody reads');
const BYTES = {
  xz: Buffer.concat([Buffer.from('fd377a585a0000000000', 'hex'), CONTENT]),
  gzip: gzipSync(CONTENT),
  other: Buffer.from('neither a tar nor compressed'),
};
const KINDS: [string, keyof typeof BYTES][] = [
  ['application/vnd.oci.image.layer.v1.tar+xz', 'xz'],
  ['application/vnd.oci.image.layer.v1.tar+xz', 'gzip'],
  ['application/vnd.docker.image.rootfs.diff.tar.xz', 'xz'],
  ['application/vnd.oci.image.layer.v1.tar+gzip+encrypted', 'other'],
  ['application/vnd.oci.image.layer.v1.tar+zstd:chunked', 'gzip'],
];
const BUILD = readBuild(SIGNING_JOB);
const BASE = sampleImage(['base']);

/** An image of the base and a layer of this media type. */
function imageWith(mediaType: string, bytes: Uint8Array): SampleImage & { unreadable: Descriptor } {
  const base = BASE.blobs[0]?.[1] ?? Buffer.alloc(0);
  const { config, layers, diffIds, blobs } = imageOf([
    [BASE.diffIds[0] ?? digestOf(base), base],
    [digestOf(CONTENT), bytes],
  ]);
  const [first, last] = layers as [Descriptor, Descriptor];
  const unreadable = { ...last, mediaType };
  const manifest = buildManifest(config, [first, unreadable]);
  return {
    unreadable,
    config,
    diffIds,
    layers: [first, unreadable],
    root: manifest.descriptor,
    blobs: [...blobs.slice(0, -1), [manifest.descriptor, manifest.bytes]],
  };
}

describe.each(KINDS)('an image with a layer of media type %s, which is %s,', (mediaType, bytes) => {
  const odd = imageWith(mediaType, BYTES[bytes]);
  let layout: Layout;
  let to: Layout;
  beforeEach(async () => {
    const folder = await temporaryFolder();
    layout = await Layout.create(join(folder, 'layout'));
    to = await Layout.create(join(folder, 'to'));
    await layout.update(async (transaction) => {
      await addSample(transaction, odd, ['odd:1']);
      await addSample(transaction, BASE, ['base:1']);
    });
  });

  test('is inspected and compared beside others', async () => {
    const { images } = await inspect({ from: [layout] });
    expect(images.map(({ names }) => names)).toEqual([['odd:1'], ['base:1']]);
    expect(images[0]?.layers.map(({ digest, mediaType: type }) => [digest, type])).toEqual(
      odd.layers.map(({ digest, mediaType: type }) => [digest, type]),
    );
    const a = { place: layout, images: ['base:1'] };
    const { layers } = await diff({ a, b: { place: layout, images: ['odd:1'] } });
    expect(layers).toMatchObject({
      shared: [{ diffId: odd.diffIds[0] }],
      onlyB: [{ diffId: odd.diffIds[1] }],
    });
  });

  test('is verified but for that layer, which is named', async () => {
    const { problems, blobs } = await verify({ layout });
    expect(problems).toMatchObject([
      { code: 'UNSUPPORTED', facts: { digest: odd.unreadable.digest, actual: mediaType } },
    ]);
    // Two manifests, two configs, two layers.
    expect(blobs).toBe(6);
    await writeFile(join(layout.path, blobName(odd.unreadable.digest)), Buffer.alloc(odd.unreadable.size));
    expect((await verify({ layout })).problems).toMatchObject([
      { code: 'DIGEST_MISMATCH', facts: { expected: odd.unreadable.digest } },
    ]);
  });

  const unread = {
    code: 'UNSUPPORTED',
    message: expect.stringContaining(odd.unreadable.digest) as string,
    facts: { digest: odd.unreadable.digest },
  };
  test.each<[string, (images: string[]) => Promise<unknown>]>([
    ['loaded', (images) => load({ from: [layout], to: new MemoryEndpoint(), images })],
    ['saved', (images) => save({ from: layout, to, images })],
    ['merged', (images) => merge({ from: [layout], to, images })],
    ['exported', async (images) => drain(await exportArchive({ from: [layout], images, format: 'oci' }))],
  ])('is not %s, and others are', async (_, run) => {
    await expect(run(['odd:1'])).rejects.toMatchObject(unread);
    expect(await to.images()).toEqual([]);
    await run(['base:1']);
  });

  test('is not signed', async () => {
    const statement = provenanceOfBuild(BUILD);
    const signing = sign({ layout, images: ['odd:1'], statement, sign: async (text) => text });
    await expect(signing).rejects.toMatchObject(unread);
    expect(await layout.subjects()).toEqual(new Set());
  });

  test('is not in the way of another platform', async () => {
    const arm = sampleImage(['arm'], 'arm64');
    const both = sampleIndex([odd, arm]);
    await layout.update((transaction) => addSample(transaction, both, ['both:1']));
    const platform = { os: 'linux', architecture: 'arm64' };
    const daemon = new MemoryEndpoint(platform);
    await load({ from: [layout], to: daemon, images: ['both:1'], platform });
    expect(daemon.held).toHaveLength(1);
  });
});

import { gzipSync } from 'node:zlib';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { ContentSource } from '../../src/content/source.ts';
import { openLayer, prepareLayer } from '../../src/image/layer.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_LAYER } from '../../src/oci/media-types.ts';
import { statingSize } from '../../src/stream/gzip-members.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { MemoryContent } from '../support/memory-content.ts';
import { frame, sizedFrame } from '../stream/zstd-bytes.ts';

const PLAIN = tar(entry('file', 'what the layer holds'));
const DIFF_ID = digestOf(PLAIN);

function place(bytes: Uint8Array, mediaType = OCI_LAYER): { source: MemoryContent; blob: Descriptor } {
  return { source: new MemoryContent([bytes]), blob: describeBytes(bytes, mediaType) };
}

test.each([
  ['plain', PLAIN, OCI_LAYER],
  ['gzip', gzipSync(PLAIN), `${OCI_LAYER}+gzip`],
  [
    'gzip in two members',
    Buffer.concat([gzipSync(PLAIN.subarray(0, 99)), gzipSync(PLAIN.subarray(99))]),
    `${OCI_LAYER}+gzip`,
  ],
  ['gzip that is called plain', gzipSync(PLAIN), OCI_LAYER],
  ['plain that is called gzip', PLAIN, `${OCI_LAYER}+gzip`],
])('a %s layer gives its uncompressed bytes', async (_, bytes, mediaType) => {
  const { source, blob } = place(bytes, mediaType);
  expect(await buffer(openLayer(source, blob))).toEqual(Buffer.from(PLAIN));
});

/** A source that opens something else the second time. */
function swapped(first: Uint8Array, second: Uint8Array, blob: Descriptor): ContentSource {
  const places = [first, second].map((bytes) => {
    const held = new MemoryContent();
    held.blobs.set(blob.digest, bytes);
    return held;
  });
  return {
    has: async () => true,
    open: async (descriptor, options) => (places.shift() ?? new MemoryContent()).open(descriptor, options),
  };
}

describe('a layer that is prepared', () => {
  test.each([
    ['plain', PLAIN],
    ['gzip', gzipSync(PLAIN)],
    ['gzip that states its size', Buffer.concat(statingSize(gzipSync(PLAIN)))],
    ['zstd', frame(PLAIN)],
    ['zstd that states its size', sizedFrame(PLAIN.length, PLAIN)],
    [
      'zstd in two frames',
      Buffer.concat([frame(PLAIN.subarray(0, 99)), sizedFrame(PLAIN.length - 99, PLAIN.subarray(99))]),
    ],
  ])('has its size and its bytes: %s', async (_, bytes) => {
    const { source, blob } = place(bytes);
    const prepared = await prepareLayer(source, { diffId: DIFF_ID, blob });
    expect(prepared.size).toBe(PLAIN.length);
    expect(await buffer(prepared.bytes)).toEqual(Buffer.from(PLAIN));
  });

  test('is not hashed once more for who checks it', async () => {
    const { source, blob } = place(gzipSync(PLAIN));
    const layer = { diffId: digestOf(Buffer.from('another')), blob };
    const prepared = await prepareLayer(source, layer, { receiverChecks: true });
    expect(await buffer(prepared.bytes)).toEqual(Buffer.from(PLAIN));
    const checked = await prepareLayer(source, layer);
    await expect(buffer(checked.bytes)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  test.each([
    ['plain', PLAIN],
    ['gzip', gzipSync(PLAIN)],
    ['zstd that states its size', sizedFrame(PLAIN.length, PLAIN)],
  ])('is not prepared where the blob is damaged: %s', async (_, bytes) => {
    const { source, blob } = place(bytes);
    const at = bytes.length >> 1;
    source.blobs.set(blob.digest, bytes.with(at, (bytes[at] ?? 0) ^ 1));
    await expect(prepareLayer(source, { diffId: DIFF_ID, blob })).rejects.toMatchObject({
      code: expect.stringMatching(/^(DIGEST_MISMATCH|MALFORMED)$/) as string,
    });
  });

  test.each([
    ['plain', PLAIN],
    ['gzip', gzipSync(PLAIN)],
    ['zstd', sizedFrame(PLAIN.length, PLAIN)],
  ])('fails at its end where it is not what its diffID says: %s', async (_, bytes) => {
    const { source, blob } = place(bytes);
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const diffId = digestOf(Buffer.from('other'), algorithm);
      const prepared = await prepareLayer(source, { diffId, blob });
      await expect(buffer(prepared.bytes)).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
        message: expect.stringContaining(blob.digest) as string,
        facts: { expected: diffId, actual: digestOf(PLAIN, algorithm) },
      });
    }
  });

  test('is not taken for its own blob where that is compressed and called by the same digest', async () => {
    const { source, blob } = place(gzipSync(PLAIN));
    const prepared = await prepareLayer(source, { diffId: blob.digest, blob });
    await expect(buffer(prepared.bytes)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  test.each([-1, 1])('fails where zstd states a size that is off by %i', async (off) => {
    const { source, blob } = place(sizedFrame(PLAIN.length + off, PLAIN));
    const prepared = await prepareLayer(source, { diffId: DIFF_ID, blob });
    await expect(buffer(prepared.bytes)).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test('fails where gzip that states the length of a member hides another in it', async () => {
    const both = Buffer.concat([...statingSize(gzipSync(PLAIN)), gzipSync(PLAIN)]);
    both.writeUInt32LE(both.length, 16);
    const { source, blob } = place(both);
    const prepared = await prepareLayer(source, { diffId: DIFF_ID, blob });
    expect(prepared.size).toBe(PLAIN.length);
    await expect(buffer(prepared.bytes)).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
  });

  test.each([
    ['plain', PLAIN],
    ['gzip', gzipSync(PLAIN)],
  ])('fails where the blob is another when it is opened again: %s', async (_, bytes) => {
    const { blob } = place(bytes);
    const source = swapped(bytes, tar(entry('file', 'what the layer held')), blob);
    const prepared = await prepareLayer(source, { diffId: DIFF_ID, blob });
    await expect(buffer(prepared.bytes)).rejects.toMatchObject({
      code: expect.stringMatching(/^(DIGEST|SIZE)_MISMATCH$/) as string,
    });
  });
});

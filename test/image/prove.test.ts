import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Layer } from '../../src/image/layer.ts';
import { prove, proveAll } from '../../src/image/prove.ts';
import { isProven, noteProven } from '../../src/image/proven.ts';
import { PROCESS_MEMORY } from '../../src/ingest/block-memory.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_LAYER } from '../../src/oci/media-types.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { BLOCK, blocks, frameHeader, zeros } from '../stream/zstd-bytes.ts';
import { MemoryContent } from '../support/memory-content.ts';

let count = 0;

/** A layer that no other test has: what is proven stays proven for the whole process. */
function plainLayer(size = 100): Buffer {
  return tar(entry('file', `layer ${count++} `.padEnd(size, 'x')));
}

/** Frames with the largest window, each of more than a block that is hashed. */
function wideFrames(): { stored: Buffer; plain: Buffer } {
  const first = Buffer.from(`layer ${count++}`);
  const frame = Buffer.concat([frameHeader({ windowLog: 27 }), blocks(first, ...zeros(10 * BLOCK))]);
  const plain = Buffer.concat([first, Buffer.alloc(10 * BLOCK)]);
  return { stored: Buffer.concat([frame, frame]), plain: Buffer.concat([plain, plain]) };
}

interface Placed {
  source: MemoryContent;
  layer: Layer;
  opened: () => number;
}

/** A place that holds a blob, which is said to hold the layer of these bytes. */
function place(stored: Uint8Array, plain: Uint8Array, mediaType = `${OCI_LAYER}+gzip`): Placed {
  const source = new MemoryContent([stored]);
  const open = vi.spyOn(source, 'open');
  const layer = { diffId: digestOf(plain), blob: describeBytes(stored, mediaType) };
  return { source, layer, opened: () => open.mock.calls.length };
}

describe('a pair of a blob and a diffID', () => {
  test.each([
    ['plain', (plain: Buffer) => plain, OCI_LAYER],
    ['gzip', gzipSync, `${OCI_LAYER}+gzip`],
    [
      'gzip in two members',
      (plain: Buffer) => Buffer.concat([gzipSync(plain.subarray(0, 99)), gzipSync(plain.subarray(99))]),
      `${OCI_LAYER}+gzip`,
    ],
    ['gzip that is called plain', gzipSync, OCI_LAYER],
    ['plain that is called gzip', (plain: Buffer) => plain, `${OCI_LAYER}+gzip`],
  ])('of %s is proven by one reading, and not read again', async (_, pack, mediaType) => {
    const plain = plainLayer();
    const { source, layer, opened } = place(pack(plain), plain, mediaType);
    expect(isProven(layer)).toBe(false);
    expect(await prove(source, layer)).toBe(plain.length);
    expect(isProven(layer)).toBe(true);
    expect(await prove(new MemoryContent(), layer)).toBe(plain.length);
    await proveAll(source, [layer]);
    expect(opened()).toBe(1);
  });

  test('of an uncompressed blob is hashed by its place alone', async () => {
    const plain = plainLayer();
    const { source, layer } = place(plain, plain, OCI_LAYER);
    // A place that checks nothing shows who does.
    vi.spyOn(source, 'open').mockResolvedValue(Readable.from([Buffer.alloc(plain.length)]));
    expect(await prove(source, layer)).toBe(plain.length);
  });

  test('that was noted is not read', async () => {
    const plain = plainLayer();
    const { source, layer, opened } = place(gzipSync(plain), plain);
    noteProven(layer, plain.length, 'gzip');
    expect(await prove(source, layer)).toBe(plain.length);
    expect(opened()).toBe(0);
  });

  test('of a sha512 diffID is proven as one', async () => {
    const plain = plainLayer();
    const { source, layer } = place(gzipSync(plain), plain);
    const wrong = { ...layer, diffId: digestOf(Buffer.from('other'), 'sha512') };
    await expect(prove(source, wrong)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await proveAll(source, [{ ...layer, diffId: digestOf(plain, 'sha512') }]);
  });

  test('is refused where the intact blob holds another layer, naming the blob and both digests', async () => {
    const [plain, other] = [plainLayer(), plainLayer()];
    const { source, layer, opened } = place(gzipSync(plain), other);
    for (let i = 0; i < 2; i++) {
      await expect(prove(source, layer)).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
        message: expect.stringContaining(layer.blob.digest) as string,
        facts: { expected: layer.diffId, actual: digestOf(plain) },
      });
      expect(isProven(layer)).toBe(false);
    }
    expect(opened()).toBe(2);
  });

  test.each([
    ['a flipped byte', (bytes: Buffer) => Buffer.from(bytes.with(600, (bytes[600] ?? 0) ^ 1))],
    ['a byte too few', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['a byte too many', (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(0)])],
    ['nothing', () => Buffer.alloc(0)],
    [
      'what no decoder takes',
      (bytes: Buffer) => Buffer.concat([Buffer.of(0x1f, 0x8b, 9), bytes.subarray(3)]),
    ],
  ])('is refused where the blob has %s: the blob is said to be damaged', async (_, damage) => {
    const plain = plainLayer();
    const { source, layer } = place(plain, plain, OCI_LAYER);
    source.blobs.set(layer.blob.digest, damage(plain));
    await expect(prove(source, layer)).rejects.toMatchObject({
      code: expect.stringMatching(/^(DIGEST|SIZE)_MISMATCH$/) as string,
      facts: { digest: layer.blob.digest },
    });
    expect(isProven(layer)).toBe(false);
  });

  test('is refused where gzip is cut, although the blob has its digest', async () => {
    const plain = plainLayer();
    const { source, layer } = place(gzipSync(plain).subarray(0, -6), plain);
    await expect(prove(source, layer)).rejects.toMatchObject({ code: 'TRUNCATED' });
  });

  test('is refused by the name of a compression that is not read', async () => {
    const { source, layer } = place(Buffer.from('fd377a585a000004e6d6b446', 'hex'), plainLayer());
    await expect(prove(source, layer)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('xz') as string,
    });
  });

  test('is refused where the blob is absent', async () => {
    const { layer } = place(plainLayer(), plainLayer());
    await expect(prove(new MemoryContent(), layer)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('is not proven once the signal comes', async () => {
    const plain = plainLayer();
    const { source, layer } = place(plain, plain);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(prove(source, layer, { signal })).rejects.toThrow('enough');
    await expect(proveAll(source, [layer], { signal })).rejects.toThrow('enough');
  });
});

describe('several layers', () => {
  test.each([1, 2, 8])(
    'are proven with a concurrency of %i, each pair by one reading',
    async (concurrency) => {
      const plain = [5, 3_000_000, 1_000_000, 2_500_001].map(plainLayer);
      const blobs = plain.map((bytes) => gzipSync(bytes));
      const source = new MemoryContent(blobs);
      const layers = plain.map((bytes, i) => ({
        diffId: digestOf(bytes),
        blob: describeBytes(blobs[i] ?? bytes),
      }));
      const open = vi.spyOn(source, 'open');
      await proveAll(source, [...layers, ...layers], { concurrency });
      expect(layers.map(isProven)).toEqual([true, true, true, true]);
      expect(open).toHaveBeenCalledTimes(layers.length);
    },
  );

  test('of many proofs at a time on many cores hold little more than one of them', async () => {
    const MIB = 1024 * 1024;
    const held = { now: 0, most: 0 };
    const take = PROCESS_MEMORY.take.bind(PROCESS_MEMORY);
    const release = PROCESS_MEMORY.release.bind(PROCESS_MEMORY);
    vi.spyOn(PROCESS_MEMORY, 'take').mockImplementation((size) => {
      held.now += size;
      held.most = Math.max(held.most, held.now);
      take(size);
    });
    vi.spyOn(PROCESS_MEMORY, 'release').mockImplementation((size) => {
      held.now -= size;
      release(size);
    });
    onTestFinished(() => void vi.restoreAllMocks());
    const proofs = Array.from({ length: 6 }, async () => {
      const plain = plainLayer(24 * MIB);
      const { source, layer } = place(plain, plain, OCI_LAYER);
      await proveAll(source, [layer], { concurrency: 16 });
    });
    await Promise.all(proofs);
    expect(held.now).toBe(0);
    // One block more for each that waits.
    expect(held.most).toBeLessThanOrEqual((32 + proofs.length) * MIB);
  });

  test('of many proofs at a time end, although their windows do not fit beside each other', async () => {
    const proofs = Array.from({ length: 4 }, async () => {
      const blobs = Array.from({ length: 16 }, () => wideFrames());
      const source = new MemoryContent(blobs.map(({ stored }) => stored));
      const layers = blobs.map(({ stored, plain }) => ({
        diffId: digestOf(plain),
        blob: describeBytes(stored, `${OCI_LAYER}+zstd`),
      }));
      await proveAll(source, layers, { concurrency: 16 });
      expect(layers.every(isProven)).toBe(true);
    });
    await Promise.all(proofs);
  });

  test('are refused for one that is another; those that were done by then stay proven', async () => {
    const [good, bad] = [plainLayer(), plainLayer(2_000_000)];
    const [goodBlob, badBlob] = [gzipSync(good), gzipSync(bad)];
    const source = new MemoryContent([goodBlob, badBlob]);
    const right = { diffId: digestOf(good), blob: describeBytes(goodBlob) };
    const wrong = { diffId: digestOf(plainLayer()), blob: describeBytes(badBlob) };
    await proveAll(source, [right]);
    await expect(proveAll(source, [wrong, right])).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      facts: { expected: wrong.diffId },
    });
    expect([right, wrong].map(isProven)).toEqual([true, false]);
  });
});

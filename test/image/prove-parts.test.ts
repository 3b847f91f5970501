import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Budget, withBudget } from '../../src/budget.ts';
import { isDrayageError } from '../../src/errors.ts';
import { proofThreads, prove, proveAll } from '../../src/image/prove.ts';
import { provenSize } from '../../src/image/proven.ts';
import { Thread } from '../../src/ingest/thread.ts';
import { zlibOn } from '../../src/ingest/zlib.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Compression } from '../../src/oci/media-types.ts';
import { CODECS } from '../../src/stream/codecs.ts';
import { statingSize } from '../../src/stream/gzip-members.ts';
import { nativeZstd } from '../../src/stream/zstd-runtime.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { frame, sizedFrame } from '../stream/zstd-bytes.ts';
import { MemoryContent } from '../support/memory-content.ts';

const MIB = 1024 * 1024;

/** A blob, and what it is said to hold. */
interface Blob {
  stored: Buffer;
  plain: Buffer;
}

/** Bytes that nothing else has: what is proven stays proven for the whole process. */
function fresh(size: number): Buffer {
  return Buffer.concat([randomBytes(16), Buffer.alloc(size - 16, 'some text ')]);
}

/** Content in blocks, as a save stores it. */
async function saved(name: Compression, ...blocks: Buffer[]): Promise<Blob> {
  const compress = CODECS[name].compressor(1);
  const made = await Promise.all(blocks.map(async (block) => compress?.(block, zlibOn(undefined))));
  return {
    stored: Buffer.concat(made.flatMap((chunks) => [...(chunks ?? [])])),
    plain: Buffer.concat(blocks),
  };
}

/** A member that states any length and size. */
function lyingMember(members: readonly Buffer[], size?: number): Buffer {
  const [first = Buffer.of()] = members;
  const stated = Buffer.concat([...statingSize(first), ...members.slice(1)]);
  stated.writeUInt32LE(stated.length, 16);
  if (size !== undefined) stated.writeUInt32LE(size, stated.length - 4);
  return stated;
}

function changedAt(bytes: Buffer, at: number): Buffer {
  return Buffer.from(bytes.with(at, (bytes.at(at) ?? 0) ^ 0xff));
}

async function outcome({ stored, plain }: Blob, concurrency: number): Promise<[unknown, number]> {
  const run = vi.spyOn(Thread.prototype, 'run');
  const parts = (): number => run.mock.calls.filter(([job]) => job.kind === 'part').length;
  const layer = { diffId: digestOf(plain), blob: describeBytes(stored) };
  try {
    await proveAll(new MemoryContent([stored]), [layer], { concurrency });
    return [provenSize(layer), parts()];
  } catch (error) {
    return [isDrayageError(error) ? error.code : error, parts()];
  } finally {
    run.mockRestore();
  }
}

type Case = [name: string, make: () => Promise<Blob> | Blob, expected: number | string, parts: number];

const withZstd = nativeZstd() !== undefined;

const GZIP: Case[] = [
  ['as it is saved', () => saved('gzip', fresh(MIB), fresh(MIB), fresh(99)), 2 * MIB + 99, 3],
  ['of one small member', () => saved('gzip', fresh(MIB - 1)), MIB - 1, 0],
  [
    'of others',
    () => {
      const plain = fresh(3 * MIB);
      return { stored: gzipSync(plain), plain };
    },
    3 * MIB,
    0,
  ],
  [
    'of others after ours, and ours after that',
    async () => {
      const [a, b] = [await saved('gzip', fresh(MIB)), await saved('gzip', fresh(MIB))];
      const other = fresh(MIB);
      return {
        stored: Buffer.concat([a.stored, gzipSync(other), b.stored]),
        plain: Buffer.concat([a.plain, other, b.plain]),
      };
    },
    3 * MIB,
    1,
  ],
  [
    'whose member states the length of two',
    () => {
      const [a, b] = [fresh(MIB), fresh(MIB)];
      return { stored: lyingMember([gzipSync(a), gzipSync(b)]), plain: Buffer.concat([a, b]) };
    },
    2 * MIB,
    1,
  ],
  [
    'whose member states more bytes than it has',
    () => {
      const plain = fresh(MIB);
      return { stored: lyingMember([gzipSync(plain)], MIB + 1), plain };
    },
    'MALFORMED',
    1,
  ],
  [
    'whose member states fewer bytes than it has',
    () => {
      const plain = fresh(2 * MIB);
      return { stored: lyingMember([gzipSync(plain)], MIB), plain };
    },
    'MALFORMED',
    1,
  ],
  [
    'with zeros after a member, within its length',
    () => {
      const plain = fresh(MIB);
      const size = Buffer.alloc(4);
      size.writeUInt32LE(MIB);
      return { stored: lyingMember([gzipSync(plain), Buffer.alloc(8), size]), plain };
    },
    'MALFORMED',
    1,
  ],
  [
    'cut within its second member',
    async () => {
      const { stored, plain } = await saved('gzip', fresh(MIB), fresh(MIB));
      return { stored: stored.subarray(0, -9), plain };
    },
    'TRUNCATED',
    1,
  ],
  [
    'with bytes behind',
    async () => {
      const { stored, plain } = await saved('gzip', fresh(MIB));
      return { stored: Buffer.concat([stored, Buffer.from('more')]), plain };
    },
    'MALFORMED',
    1,
  ],
  [
    'damaged in its first member',
    async () => {
      const { stored, plain } = await saved('gzip', fresh(MIB), fresh(MIB));
      return { stored: changedAt(stored, stored.readUInt32LE(16) - 8), plain };
    },
    'MALFORMED',
    2,
  ],
  [
    'with other content',
    async () => ({ ...(await saved('gzip', fresh(MIB))), plain: fresh(MIB) }),
    'DIGEST_MISMATCH',
    1,
  ],
];

const ZSTD: Case[] = [
  ['as it is saved', () => saved('zstd', fresh(4 * MIB), fresh(4 * MIB), fresh(99)), 8 * MIB + 99, 3],
  [
    'as it is saved, which did not shrink',
    () => saved('zstd', randomBytes(4 * MIB), randomBytes(4 * MIB)),
    8 * MIB,
    2,
  ],
  ['of one small frame', () => saved('zstd', fresh(MIB - 1)), MIB - 1, 0],
  [
    'of others after ours, and ours after that',
    async () => {
      const [a, b] = [await saved('zstd', fresh(MIB)), await saved('zstd', fresh(MIB))];
      const other = fresh(100_000);
      return {
        stored: Buffer.concat([a.stored, frame(other), b.stored]),
        plain: Buffer.concat([a.plain, other, b.plain]),
      };
    },
    2 * MIB + 100_000,
    1,
  ],
  [
    'whose frame states more bytes than it has',
    () => {
      const plain = Buffer.alloc(128 * 1024, fresh(16));
      return { stored: sizedFrame(MIB, plain), plain };
    },
    'MALFORMED',
    1,
  ],
  [
    'whose frame states fewer bytes than it has',
    () => {
      const block = Buffer.alloc(128 * 1024, fresh(16));
      const plain = Buffer.concat(Array.from({ length: 12 }, () => block));
      return { stored: sizedFrame(MIB, ...Array.from({ length: 12 }, () => block)), plain };
    },
    'MALFORMED',
    1,
  ],
  [
    'whose frame has more blocks than a part may have',
    () => {
      const first = fresh(16);
      const dots = { byte: 46, times: 2048 };
      const stored = sizedFrame(16 + 600 * 2048, first, ...Array.from({ length: 600 }, () => dots));
      return { stored, plain: Buffer.concat([first, Buffer.alloc(600 * 2048, '.')]) };
    },
    16 + 600 * 2048,
    0,
  ],
  [
    'cut within its second frame',
    async () => {
      const { stored, plain } = await saved('zstd', fresh(4 * MIB), fresh(4 * MIB));
      return { stored: stored.subarray(0, -9), plain };
    },
    'TRUNCATED',
    1,
  ],
  [
    'damaged in its first frame',
    async () => {
      const { stored, plain } = await saved('zstd', fresh(4 * MIB), fresh(4 * MIB));
      return { stored: changedAt(stored, 40), plain };
    },
    'MALFORMED',
    2,
  ],
  [
    'with other content',
    async () => ({ ...(await saved('zstd', fresh(4 * MIB))), plain: fresh(4 * MIB) }),
    'DIGEST_MISMATCH',
    1,
  ],
];

describe('content is decompressed by threads in parts, to the same end as here:', () => {
  test.each(GZIP)('gzip %s', async (_, make, expected, parts) => {
    expect(await outcome(await make(), 1)).toEqual([expected, 0]);
    expect(await outcome(await make(), 2)).toEqual([expected, parts]);
  });

  test.runIf(withZstd).each(ZSTD)('zstd %s', async (_, make, expected, parts) => {
    expect(await outcome(await make(), 1)).toEqual([expected, 0]);
    expect(await outcome(await make(), 2)).toEqual([expected, parts]);
  });

  test.runIf(proofThreads())('one layer after another', async () => {
    await using hashing = proofThreads();
    const run = vi.spyOn(Thread.prototype, 'run');
    onTestFinished(() => run.mockRestore());
    for (const size of [MIB, 2 * MIB]) {
      const { stored, plain } = await saved('gzip', fresh(size));
      const layer = { diffId: digestOf(plain), blob: describeBytes(stored) };
      expect(await prove(new MemoryContent([stored]), layer, { hashing })).toBe(size);
    }
    expect(run.mock.calls.filter(([job]) => job.kind === 'part')).toHaveLength(2);
  });

  test.each(['gzip', 'zstd'] as const)('%s within the budget of the run', async (name) => {
    if (name === 'zstd' && !withZstd) return;
    const make = (): Promise<Blob> =>
      saved(name, ...Array.from({ length: 4 }, () => fresh(CODECS[name].blockSize)));
    const limits = { expansion: 2.5 * CODECS[name].blockSize, expansionRatio: 1 };
    for (const [concurrency, parts] of [
      [1, 0],
      [2, 3],
    ] as const) {
      let found: unknown;
      const work = async (): Promise<unknown> => (found = await outcome(await make(), concurrency));
      await expect(withBudget(work, new Budget(limits))).rejects.toMatchObject({ code: 'LIMIT' });
      expect(found).toEqual(['LIMIT', parts]);
    }
  });
});

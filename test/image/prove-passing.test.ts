import { gzipSync } from 'node:zlib';
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isProven } from '../../src/image/proven.ts';
import { provenPassing } from '../../src/image/prove-passing.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { verified } from '../../src/stream/verified.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { framed } from '../stream/zstd-bytes.ts';

const CONTENT = randomBytes(3_000_000);
const BLOB = gzipSync(CONTENT);

function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What passes, and the error at the end. */
async function pass(
  bytes: Uint8Array,
  { blob = bytes, content = CONTENT, size = 60_000, others = [] as Digest[] } = {},
): Promise<{ passed: number; error: unknown; isProven: boolean }> {
  const layer = { blob: describeBytes(blob), diffId: digestOf(content) };
  const source = verified(
    (async function* () {
      yield* pieces(bytes, size);
    })(),
    layer.blob,
  );
  let passed = 0;
  try {
    for await (const chunk of provenPassing(source, layer.blob, [layer.diffId, ...others]))
      passed += chunk.length;
    return { passed, error: undefined, isProven: isProven(layer) };
  } catch (error) {
    return { passed, error, isProven: isProven(layer) };
  }
}

describe('provenPassing', () => {
  test.each([1000, 60_000, BLOB.length])('passes the blob of a layer in chunks of %i bytes', async (size) => {
    expect(await pass(BLOB, { size })).toEqual({ passed: BLOB.length, error: undefined, isProven: true });
  });

  test('never passes all of the blob of another layer', async () => {
    const { passed, error, isProven: proven } = await pass(BLOB, { content: Buffer.from('another') });
    expect(error).toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(String(error)).toContain('content of layer');
    expect(passed).toBeLessThan(BLOB.length);
    expect(proven).toBe(false);
  });

  test('reports a damaged blob as that, and not as what the decoder says of it', async () => {
    const damaged = Buffer.from(BLOB);
    damaged.fill(0, 1000, 2000);
    const { passed, error } = await pass(damaged, { blob: BLOB });
    expect(error).toMatchObject({ code: 'DIGEST_MISMATCH', facts: { expected: describeBytes(BLOB).digest } });
    expect(passed).toBeLessThan(BLOB.length);
  });

  test('reports an intact blob that cannot be decompressed', async () => {
    const cut = BLOB.subarray(0, 100_000);
    const { passed, error } = await pass(cut);
    expect(error).toMatchObject({ code: 'TRUNCATED' });
    expect(passed).toBeLessThan(cut.length);
  });

  test.each([[[]], [[digestOf(CONTENT, 'sha512')]]])(
    'decompresses once what stands for several layers: the same one and %j',
    async (others) => {
      // A second decoder would wait for the window that the first one keeps.
      const bytes = framed(CONTENT, 27);
      const blob = describeBytes(bytes);
      expect(await pass(bytes, { others })).toMatchObject({ error: undefined, passed: bytes.length });
      for (const diffId of others) expect(isProven({ diffId, blob })).toBe(true);
      const another = digestOf(Buffer.from('another'));
      const { passed, error } = await pass(bytes, { others: [...others, another] });
      expect(error).toMatchObject({ code: 'DIGEST_MISMATCH', facts: { expected: another } });
      expect(passed).toBeLessThan(bytes.length);
    },
  );

  test('ends the source if nobody reads on', async () => {
    let ended = false;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* pieces(BLOB, 1000);
      } finally {
        ended = true;
      }
    };
    for await (const _ of provenPassing(source(), describeBytes(BLOB), [digestOf(CONTENT)])) break;
    expect(ended).toBe(true);
  });
});

test('an empty blob is another layer than this one', async () => {
  expect((await pass(Buffer.alloc(0))).error).toMatchObject({ code: 'DIGEST_MISMATCH' });
});

import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { sized, verified } from '../../src/stream/verified.ts';
import { CHUNKINGS, collect, failure, source } from './sources.ts';

const content = Buffer.from('the content of a blob');
const expected = { digest: digestOf(content), size: content.length };

/** The content with one bit changed. */
function flipped(at: number): Buffer {
  const bytes = Buffer.from(content);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

describe.each(CHUNKINGS)('verified, $name', ({ size }) => {
  test('passes on what it was promised', async () => {
    expect((await collect(verified(source(content, size), expected))).equals(content)).toBe(true);
  });

  test('passes on what it was promised by sha512', async () => {
    const promise = { digest: digestOf(content, 'sha512'), size: content.length };
    expect((await collect(verified(source(content, size), promise))).equals(content)).toBe(true);
  });

  test.each([
    { name: 'a flipped first bit', input: flipped(0), code: 'DIGEST_MISMATCH' },
    { name: 'a flipped last bit', input: flipped(content.length - 1), code: 'DIGEST_MISMATCH' },
    { name: 'one byte too few', input: content.subarray(0, -1), code: 'SIZE_MISMATCH' },
    { name: 'one byte too many', input: Buffer.concat([content, Buffer.from('x')]), code: 'SIZE_MISMATCH' },
    { name: 'nothing', input: Buffer.alloc(0), code: 'SIZE_MISMATCH' },
  ])('refuses $name', async ({ input, code }) => {
    const watched = source(input, size);
    expect(await failure(verified(watched, expected, 'layer'))).toMatchObject({
      code,
      message: expect.stringMatching(/^layer /),
      facts: { digest: expected.digest },
    });
    expect(watched.closed).toBe(true);
  });

  test('passes on less than was promised of what is damaged', async () => {
    let passed = 0;
    const read = async (): Promise<void> => {
      for await (const chunk of verified(source(flipped(0), size), expected)) passed += chunk.length;
    };
    await expect(read()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(passed).toBeLessThan(content.length);
  });
});

test('the empty blob is a blob', async () => {
  const empty = Buffer.alloc(0);
  expect(await failure(verified(source(empty), { digest: digestOf(empty), size: 0 }))).toBeUndefined();
});

test('reading stops at the first byte too many', async () => {
  const watched = source(Buffer.alloc(1000), 10);
  expect(await failure(verified(watched, expected))).toMatchObject({ code: 'SIZE_MISMATCH' });
  expect(watched.chunks).toBe(3);
});

test('an error of the source comes through as it is', async () => {
  const error = new Error('socket closed');
  expect(await failure(verified(source(content, 4, error), expected))).toBe(error);
});

test('where another one computes the digest, the size is checked all the same', async () => {
  const promised = { digest: digestOf(Buffer.from('another')), size: 3 };
  const read = async (text: string): Promise<string> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of sized(Readable.from([Buffer.from(text)]), promised, 'layer'))
      chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  expect(await read('abc')).toBe('abc');
  for (const text of ['ab', 'abcd'])
    await expect(read(text)).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
});

test.each([
  ['too few', content.subarray(8, -1), `only ${content.length - 1}`, content.length - 1],
  [
    'too many',
    Buffer.concat([content.subarray(8), Buffer.from('x')]),
    `more than ${content.length}`,
    content.length + 1,
  ],
])('of a rest with %s bytes, an error tells the sizes of the whole', async (_, rest, found, actual) => {
  expect(await failure(sized(source(rest, rest.length), expected, 'layer', 8))).toMatchObject({
    message: `layer is damaged: it has ${found} bytes, not ${content.length}`,
    facts: { expected: content.length, actual },
  });
});

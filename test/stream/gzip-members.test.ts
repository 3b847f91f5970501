import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { gunzippedSize, statingSize } from '../../src/stream/gzip-members.ts';
import { ESTARGZ_FOOTER, PIGZ_ZEROS } from './gzip-fixtures.ts';
import { CHUNKINGS, source } from './sources.ts';

const HELLO = Buffer.from('hello gzip');
const PLAIN = gzipSync(HELLO);
const STATING = Buffer.concat(statingSize(PLAIN));
const LARGE = Buffer.concat(statingSize(gzipSync(Buffer.alloc(1_000_000, 'some line of text\n'))));

/** A member that says it is so long. */
function lying(size: number): Buffer {
  const member = Buffer.from(STATING);
  member.writeUInt32LE(size, 16);
  return member;
}

describe('a member that states its size', () => {
  test('is gzip of the same content, ten bytes longer', () => {
    expect(gunzipSync(Buffer.concat([STATING, PLAIN])).equals(Buffer.concat([HELLO, HELLO]))).toBe(true);
    expect(STATING.length).toBe(PLAIN.length + 10);
    expect(STATING.readUInt32LE(16)).toBe(STATING.length);
  });

  test('is made of plain members only: fields of a header stay as they are', () => {
    expect(statingSize(ESTARGZ_FOOTER)).toEqual([ESTARGZ_FOOTER]);
    expect(statingSize(STATING)).toEqual([STATING]);
  });
});

describe.each(CHUNKINGS)('the size of gzip once decompressed, $name', ({ size }) => {
  test.each([
    ['one member that states it', STATING, 10],
    ['members that state it', Buffer.concat([STATING, LARGE, STATING]), 1_000_020],
    ['an empty member that states it', Buffer.concat(statingSize(gzipSync(''))), 0],
    ['one member that does not', PLAIN, 10],
    ['members that do not', Buffer.concat([PLAIN, gzipSync(''), PLAIN]), 20],
    ['members of both kinds', Buffer.concat([STATING, PLAIN, LARGE, PLAIN]), 1_000_030],
    ['a member with an extra field of its own', Buffer.concat([STATING, ESTARGZ_FOOTER]), 10],
    ['blocks of pigz', PIGZ_ZEROS, 600_000],
  ])('%s', async (_, input, expected) => {
    expect(await gunzippedSize(source(input, size), 'layer')).toBe(expected);
  });

  test.each([
    ['no bytes at all', Buffer.alloc(0), 'TRUNCATED'],
    ['a cut after a whole header', STATING.subarray(0, 25), 'TRUNCATED'],
    ['a cut within a header', STATING.subarray(0, 15), 'TRUNCATED'],
    ['a last byte that is missing', Buffer.concat([LARGE, STATING.subarray(0, -1)]), 'TRUNCATED'],
    ['zeros at the end', Buffer.concat([STATING, Buffer.alloc(512)]), 'MALFORMED'],
    ['garbage at the end', Buffer.concat([STATING, Buffer.from('garbage')]), 'MALFORMED'],
    ['a stated size that leads into a member', Buffer.concat([lying(30), STATING]), 'MALFORMED'],
    ['a stated size of less than a header', Buffer.concat([lying(12), STATING]), 'MALFORMED'],
    ['a stated size over the end', lying(4_000_000_000), 'TRUNCATED'],
  ])('fails for %s', async (_, input, code) => {
    const watched = source(input, size);
    await expect(gunzippedSize(watched, 'layer')).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/^layer /) as string,
    });
  });
});

test('what states its size is not decompressed for it', async () => {
  const damaged = Buffer.from(LARGE);
  damaged.fill(0xff, 200, 300);
  expect(() => gunzipSync(damaged)).toThrow();
  expect(await gunzippedSize(source(damaged), 'layer')).toBe(1_000_000);
});

test('an error of the source comes through as it is', async () => {
  const error = new Error('socket closed');
  await expect(gunzippedSize(source(STATING, 7, error), 'layer')).rejects.toBe(error);
});

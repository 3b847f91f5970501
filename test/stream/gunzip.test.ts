import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { gunzip } from '../../src/stream/gunzip.ts';
import { statingSize } from '../../src/stream/gzip-members.ts';
import { ESTARGZ_FOOTER, PIGZ_ZEROS } from './gzip-fixtures.ts';
import { CHUNKINGS, collect, failure, source, until } from './sources.ts';

const HELLO = Buffer.from('hello gzip');
const MEMBER = gzipSync(HELLO);
const MIB5 = Buffer.alloc(5_000_000, 'some line of text\n');
const LARGE = gzipSync(MIB5);

/** A member with one byte changed; negative positions count from its end. */
function changed(at: number, value: number): Buffer {
  const member = Buffer.from(MEMBER);
  member[at < 0 ? member.length + at : at] = value;
  return member;
}

const VALID = [
  { name: 'one member', input: MEMBER, output: HELLO },
  { name: 'an empty member', input: gzipSync(''), output: Buffer.from('') },
  {
    name: '50 empty members',
    input: Buffer.concat(Array.from({ length: 50 }, () => gzipSync(''))),
    output: Buffer.from(''),
  },
  {
    name: 'members one after the other',
    input: Buffer.concat([MEMBER, gzipSync(''), LARGE, MEMBER]),
    output: Buffer.concat([HELLO, MIB5, HELLO]),
  },
  { name: 'what pigz wrote', input: PIGZ_ZEROS, output: Buffer.alloc(600_000) },
  { name: 'a member that eStargz ends with', input: Buffer.concat([MEMBER, ESTARGZ_FOOTER]), output: HELLO },
  { name: 'a member that states its size', input: Buffer.concat(statingSize(MEMBER)), output: HELLO },
  {
    name: 'a file name and a comment in the header',
    input: Buffer.concat([
      changed(3, 0x18).subarray(0, 10),
      Buffer.from('a.tar\0of a layer\0'),
      MEMBER.subarray(10),
    ]),
    output: HELLO,
  },
  { name: 'stored blocks', input: gzipSync(HELLO, { level: 0 }), output: HELLO },
];

const INVALID = [
  { name: 'no bytes at all', input: Buffer.from(''), code: 'TRUNCATED' },
  { name: 'zeros at the end', input: Buffer.concat([MEMBER, Buffer.alloc(512)]), code: 'MALFORMED' },
  { name: 'one zero at the end', input: Buffer.concat([MEMBER, Buffer.alloc(1)]), code: 'MALFORMED' },
  {
    name: 'zeros, then another member',
    input: Buffer.concat([LARGE, Buffer.alloc(512), MEMBER]),
    code: 'MALFORMED',
  },
  { name: 'garbage at the end', input: Buffer.concat([MEMBER, Buffer.from('garbage')]), code: 'MALFORMED' },
  { name: 'half a magic at the end', input: Buffer.concat([MEMBER, Buffer.from([0x1f])]), code: 'TRUNCATED' },
  {
    name: 'a magic at the end',
    input: Buffer.concat([MEMBER, Buffer.from([0x1f, 0x8b])]),
    code: 'TRUNCATED',
  },
  { name: 'a cut large member', input: LARGE.subarray(0, LARGE.length >> 1), code: 'TRUNCATED' },
  { name: 'a wrong CRC', input: changed(-8, 0), code: 'MALFORMED' },
  { name: 'a wrong length', input: changed(-4, 99), code: 'MALFORMED' },
  { name: 'an unknown method', input: changed(2, 7), code: 'MALFORMED' },
  { name: 'a reserved flag', input: changed(3, 0x80), code: 'MALFORMED' },
  { name: 'something else', input: Buffer.from('not gzip at all'), code: 'MALFORMED' },
];

describe.each(CHUNKINGS)('gunzip, $name', ({ size }) => {
  test.each(VALID)('reads $name', async ({ input, output }) => {
    const read = await collect(gunzip(source(input, size), 'layer'));
    expect(read.equals(output)).toBe(true);
  });

  test.each(INVALID)('refuses $name', async ({ input, code }) => {
    const watched = source(input, size);
    expect(await failure(gunzip(watched, 'layer'))).toMatchObject({
      code,
      message: expect.stringMatching(/^layer /),
    });
    await until(() => watched.closed);
    expect(watched.closed).toBe(true);
  });
});

test('a cut at any byte is an error', async () => {
  for (let length = 0; length < MEMBER.length; length++) {
    expect(await failure(gunzip(source(MEMBER.subarray(0, length), 5), 'layer'))).toMatchObject({
      code: 'TRUNCATED',
    });
  }
});

test.each([1, 1000, Infinity])(
  'an error of the source comes through as it is (chunks of %d bytes)',
  async (size) => {
    const error = new Error('socket closed');
    expect(await failure(gunzip(source(LARGE.subarray(0, -9), size, error), 'layer'))).toBe(error);
  },
);

test('an error of the source that looks like one of zlib is still the source’s', async () => {
  const error = Object.assign(new Error('unexpected end of file'), { code: 'Z_BUF_ERROR' });
  expect(await failure(gunzip(source(MEMBER, 3, error), 'layer'))).toBe(error);
});

test('a consumer that stops early releases the source', async () => {
  const watched = source(Buffer.concat(Array.from({ length: 100 }, () => LARGE)), 64);
  for await (const chunk of gunzip(watched, 'layer')) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  await until(() => watched.closed);
  expect(watched.closed).toBe(true);
});

test('a consumer that waits is not run over', async () => {
  const watched = source(gzipSync(Buffer.alloc(300_000_000), { level: 1 }), 1024);
  for await (const chunk of gunzip(watched, 'layer')) {
    expect(chunk.length).toBeLessThan(4 * 1024 * 1024);
    await new Promise((resolve) => setTimeout(resolve, 50));
    // 1.3 MB of input. What is read ahead is some MiB of output and one buffer of input.
    expect(watched.chunks).toBeLessThan(150);
    break;
  }
});

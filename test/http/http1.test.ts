import { describe, expect, test } from 'vitest';
import type { Arriving } from '../../src/http/http1.ts';
import { readReply } from '../../src/http/http1.ts';
import { collect } from '../stream/sources.ts';

const HEAD = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;

/** What arrives in pieces of a size; a piece is garbage as soon as it was read. */
function arriving(text: string, size: number): Arriving & { unread: () => number } {
  const all = Buffer.from(text, 'latin1');
  let start = 0;
  let piece = Buffer.alloc(0);
  return {
    peek: async () => {
      if (piece.length === 0) {
        piece = Buffer.from(all.subarray(start, start + size));
        start += piece.length;
      }
      return piece;
    },
    skip: (count) => {
      piece.fill('!', 0, count);
      piece = piece.subarray(count);
    },
    destroy: () => {},
    unread: () => all.length - start + piece.length,
  };
}

/** The body by chunks, and by memory that is filled. */
async function bodyOf(text: string, size: number): Promise<string> {
  const chunks = await collect((await readReply(arriving(text, size))).body);
  const { body } = await readReply(arriving(text, size));
  let filled = '';
  const memory = Buffer.alloc(7);
  for (let count = -1; count !== 0;) {
    count = await body.readInto(memory);
    filled += memory.toString('latin1', 0, count);
  }
  expect(filled).toBe(chunks.toString('latin1'));
  expect(await body.readInto(memory)).toBe(0);
  return filled;
}

test('all chunks that have arrived are read at once', async () => {
  const chunk = '0'.repeat(100);
  const bytes = arriving(`${CHUNKED}${`64\r\n${chunk}\r\n`.repeat(1000)}0\r\n\r\n`, 200_000);
  let peeks = 0;
  const { body } = await readReply({
    ...bytes,
    peek: async () => {
      peeks += 1;
      return bytes.peek();
    },
  });
  peeks = 0;
  expect(await body.readInto(Buffer.alloc(200_000))).toBe(100_000);
  expect(peeks).toBeLessThan(5);
  expect(await body.readInto(Buffer.alloc(1))).toBe(0);
});

describe.each([1, 2, 3, 5, 8, 1000])('in pieces of %i bytes', (size) => {
  test.each([
    ['in chunks', `${CHUNKED}5\r\nabcde\r\nB;name="x"\r\n01234567890\r\n0\r\n\r\n`, 'abcde01234567890'],
    ['in chunks with trailers', `${CHUNKED}3\r\nabc\r\n00\r\nA: b\r\nC: d\r\n\r\n`, 'abc'],
    ['of a length', `${HEAD}content-length: 5\r\n\r\nabcdefgh`, 'abcde'],
    ['of no bytes', `${HEAD}Content-Length: 0\r\n\r\n`, ''],
    [
      'of one length that is said twice',
      `${HEAD}content-length: 3, 3\r\nContent-Length: 3\r\n\r\nabc`,
      'abc',
    ],
    ['that ends with the connection', `HTTP/1.0 200 OK\r\n\r\nabc\r\n`, 'abc\r\n'],
    [
      'after interim replies',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\n${HEAD}\r\nabc`,
      'abc',
    ],
    ['with bare line feeds', 'HTTP/1.1 200 OK\ncontent-length: 2\n\nab', 'ab'],
  ])('a body %s', async (_, text, body) => {
    expect(await bodyOf(text, size)).toBe(body);
  });

  test.each([
    ['in the head', 'HTTP/1.1 200 OK\r\ncontent-le'],
    ['before the head', ''],
    ['in a size', `${CHUNKED}5`],
    ['in a chunk', `${CHUNKED}5\r\nabc`],
    ['after a chunk', `${CHUNKED}3\r\nabc\r\n`],
    ['in trailers', `${CHUNKED}0\r\nA: b\r\n`],
    ['after the last chunk', `${CHUNKED}0\r\n`],
    ['in a length', `${HEAD}content-length: 5\r\n\r\nabcd`],
  ])('a reply that is cut off %s fails', async (_, text) => {
    await expect(bodyOf(text, size)).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });

  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
    ['a header without a name', `${HEAD}: x\r\n\r\n`],
    ['a header on two lines', `${HEAD}a: b\r\n c\r\n\r\n`],
    ['two lengths', `${HEAD}content-length: 3\r\ncontent-length: 4\r\n\r\nabcd`],
    ['a length that is none', `${HEAD}content-length: -3\r\n\r\nabc`],
    ['a coding that is unknown', `${HEAD}transfer-encoding: gzip, chunked\r\n\r\n`],
    ['a size that is none', `${CHUNKED}xyz\r\n`],
    ['a size that is too large', `${CHUNKED}${'f'.repeat(13)}\r\n`],
    ['a chunk that is longer than it says', `${CHUNKED}2\r\nabc\r\n0\r\n\r\n`],
    ['a head without an end', `${HEAD}${'a: b\r\n'.repeat(4000)}`],
    ['a line without an end', `${HEAD}${'a'.repeat(20_000)}`],
    ['trailers without an end', `${CHUNKED}0\r\n${'a: b\r\n'.repeat(4000)}`],
  ])('%s is not HTTP', async (_, text) => {
    await expect(bodyOf(text, size)).rejects.toMatchObject({ name: 'HTTPParserError' });
  });
});

test('a reply without a body has none, whatever follows', async () => {
  expect(await bodyOf('HTTP/1.1 204 No Content\r\n\r\nabc', 100)).toBe('');
});

test('a body of a length takes no more than its own', async () => {
  const connection = arriving(`${HEAD}content-length: 3\r\n\r\nabcdef`, 1000);
  expect((await collect((await readReply(connection)).body)).toString()).toBe('abc');
  expect(connection.unread()).toBe(3);
});

import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { resumable } from '../../src/http/resumable.ts';
import { Retry } from '../../src/http/retry.ts';

const FILE = Buffer.from('0123456789');

/** Reads a file from 3 to 9 from a server that gives out some bytes, then ends its reply. */
function readFrom(given: (at: number) => Buffer): { opened: number[]; bytes: Promise<Buffer> } {
  const opened: number[] = [];
  const bytes = resumable({
    offset: 3,
    length: 6,
    openAt: async (at) => {
      opened.push(at);
      return { body: Readable.from([given(at)], { objectMode: false }), skip: 0 };
    },
    url: 'https://a.example/file',
    retry: new Retry({ attempts: 2, delay: async () => {} }),
    signal: undefined,
    onReceived: () => {},
  });
  return { opened, bytes: buffer(bytes) };
}

test('a file is opened at offsets of the whole, also after an interruption', async () => {
  const { opened, bytes } = readFrom((at) => FILE.subarray(at, at + 4));
  expect((await bytes).toString()).toBe('345678');
  expect(opened).toEqual([3, 7]);
});

test('a file that ends early is told with sizes of the whole', async () => {
  const { opened, bytes } = readFrom((at) => FILE.subarray(at, 5));
  await expect(bytes).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: 'https://a.example/file ended after 5 of 9 bytes',
    facts: { expected: 9, actual: 5 },
  });
  expect(opened).toEqual([3, 5]);
});

import { describe, expect, test } from 'vitest';
import { readLoadReply } from '../../../src/docker/transfer/load-reply.ts';

const LOADED = '{"stream":"Loaded image: temp:latest\\n"}\r\n';

async function* chunks(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe.each([1, 2, 7, 100_000])('the reply to a load, in chunks of %i', (size) => {
  const read = async (text: string): Promise<void> => void (await readLoadReply(chunks(text, size)));

  test.each([
    ['docker', LOADED],
    ['docker, by ID', '{"stream":"Loaded image ID: sha256:abc\\n"}\r\n'],
    ['podman', '{"stream":"Loaded image: localhost/temp:latest"}\n'],
    ['older podman', '{"stream":"Loaded image(s): a:1,b:1"}\n'],
    ['progress before', `{"status":"Loading layer","progressDetail":{"current":1}}\r\n\r\n${LOADED}`],
    ['no last line end', LOADED.trim()],
    ['letters of several bytes', `{"stream":"… größer\\n"}\n${LOADED}`],
  ])('of %s is success', async (_who, text) => {
    await expect(read(text)).resolves.toBeUndefined();
  });

  test.each([
    ['errorDetail', '{"errorDetail":{"message":"unexpected EOF"},"error":"x"}\r\n', 'unexpected EOF'],
    ['error', '{"error":"no space left\\n on device"}\r\n', 'no space left on device'],
    ['an error after success', `${LOADED}{"error":"late"}\r\n`, 'late'],
    [
      'an image that cannot be unpacked',
      `${LOADED}{"stream":"Error unpacking image temp:latest: x not found\\n"}`,
      'Error unpacking image',
    ],
    ['the first of two errors', '{"error":"größer"}\n{"error":"second"}\n', 'größer'],
    ['text instead of JSON', `panic: oops\n${LOADED}`, 'panic: oops'],
    ['JSON of another kind', `5\n${LOADED}`, '5'],
    ['JSON that is cut', LOADED.slice(0, -8), '{"stream"'],
    ['nothing', '', 'it says nothing'],
    ['no word of an image', '{"stream":"hm\\n"}\n', 'it says hm'],
  ])('that is %s is a failure', async (_what, text, message) => {
    await expect(read(text)).rejects.toMatchObject({
      code: 'DAEMON',
      message: expect.stringContaining(message),
    });
  });
});

test.each([
  ['{"stream":"Loaded image: app:1\\n"}\n{"stream":"Loaded image: other:1\\n"}\n', ['app:1', 'other:1']],
  ['{"stream":"Loaded image ID: sha256:abc\\n"}\r\n', ['sha256:abc']],
  ['{"stream":"Loaded image(s): a:1,b:1"}\n', ['a:1', 'b:1']],
  ['{"stream":"Loaded image(s): a:1,, b:1,"}\n', ['a:1', 'b:1']],
  ['{"stream":"Loaded image: \\n"}\n', []],
])('the reply %j says what was loaded', async (text, loaded) => {
  expect(await readLoadReply(chunks(text, 7))).toEqual(loaded);
});

test('an image with too many layers gets a hint', async () => {
  await expect(readLoadReply(chunks('{"error":"max depth exceeded"}\n', 100))).rejects.toMatchObject({
    code: 'DAEMON',
    facts: { hint: expect.stringContaining('127 layers') },
  });
  await expect(readLoadReply(chunks('{"error":"other"}\n', 100))).rejects.toMatchObject({
    facts: { hint: undefined },
  });
});

test('a reply without a line end is given up at some size', async () => {
  await expect(readLoadReply(chunks('x'.repeat(2_000_000), 65_536))).rejects.toMatchObject({
    code: 'DAEMON',
  });
});

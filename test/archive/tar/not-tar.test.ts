import { describe, expect, test } from 'vitest';
import { readTar } from '../../../src/archive/tar/read.ts';
import { inChunks } from '../../support/archives/read-bytes.ts';
import { entry } from '../../support/archives/tar-bytes.ts';

async function failure(bytes: Buffer): Promise<unknown> {
  return readTar(inChunks(bytes, 100))
    .next()
    .catch((error: unknown) => error);
}

describe('a file that is no tar archive is named as such', () => {
  test.each([
    ['<html>404</html>', 'HTML'],
    ['\n<?xml version="1.0"?>', 'XML'],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 5\n', 'git lfs pull'],
    ['{"error":"404 Not Found"}', 'JSON'],
    // In this form a daemon tells why it broke an archive off, behind what it has sent.
    ['{"message":"404 Not Found"}', 'JSON'],
    ['PK\x03\x04', 'unpack'],
  ])('%j, with a hint, small and large', async (text, hint) => {
    for (const bytes of [Buffer.from(text), Buffer.from(text.padEnd(5000, ' '))]) {
      expect(await failure(bytes)).toMatchObject({
        code: 'MALFORMED',
        message: expect.stringContaining('not a tar archive'),
        hint: expect.stringContaining(hint),
      });
    }
  });

  test('if its text has lines', async () => {
    expect(await failure(Buffer.from('Not\nFound'))).toMatchObject({ code: 'MALFORMED' });
  });

  test('also if it could be the beginning of one', async () => {
    const message = 'not a tar archive: it has only 9 bytes';
    expect(await failure(Buffer.from('Not Found'))).toMatchObject({ code: 'TRUNCATED', message });
    expect(await failure(entry('a').subarray(0, 300))).toMatchObject({ code: 'TRUNCATED' });
  });
});

import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { DrayageError } from '../../src/errors.ts';
import { compressedAsStated } from '../../src/image/as-stated.ts';
import { fakeDigest } from '../oci/documents.ts';

const TAR = 'application/vnd.oci.image.layer.v1.tar';
const DOCKER = 'application/vnd.docker.image.rootfs.diff.tar';
const PLAIN = Buffer.alloc(3000, 'a');
const GZIP = gzipSync(PLAIN);
const ZSTD = Buffer.from('28b52ffd00', 'hex');
const digest = fakeDigest('a');

async function* inPieces(bytes: Buffer, error?: Error): AsyncGenerator<Buffer> {
  for (let i = 0; i < bytes.length; i += 3) yield bytes.subarray(i, i + 3);
  if (error !== undefined) throw error;
}

test.each([
  [TAR, PLAIN],
  [TAR, Buffer.alloc(0)],
  [`${TAR}+gzip`, GZIP],
  [`${DOCKER}.gzip`, GZIP],
  [`${TAR}+zstd`, ZSTD],
])('a layer of the type %s passes as it is', async (mediaType, bytes) => {
  const passed = await buffer(compressedAsStated(inPieces(bytes), { mediaType, digest, size: bytes.length }));
  expect(passed.equals(bytes)).toBe(true);
});

test.each([
  [TAR, GZIP, 'is compressed with gzip'],
  [`${TAR}+gzip`, PLAIN, 'is not compressed'],
  [`${TAR}+zstd`, GZIP, 'is compressed with gzip'],
  [`${TAR}+gzip`, ZSTD, 'is compressed with zstd'],
  ['application/octet-stream', GZIP, 'is compressed with gzip'],
])('no byte of a layer passes that is called %s and is something else', async (mediaType, bytes, message) => {
  const passing = compressedAsStated(inPieces(bytes), { mediaType, digest, size: bytes.length });
  await expect(passing.next()).rejects.toMatchObject({
    code: 'MALFORMED',
    message: expect.stringContaining(`${message}, but its manifest calls it ${mediaType}`) as string,
  });
});

test('damage is told as that, whatever it looks like', async () => {
  const damaged = new DrayageError('DIGEST_MISMATCH', 'damaged');
  const descriptor = { mediaType: `${TAR}+gzip`, digest, size: PLAIN.length };
  await expect(compressedAsStated(inPieces(PLAIN, damaged), descriptor).next()).rejects.toBe(damaged);
});

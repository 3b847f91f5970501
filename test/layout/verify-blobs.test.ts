import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blobNames } from '../../src/layout/blob-file.ts';
import { intactBlobFiles } from '../../src/layout/verify-blobs.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { tempFolder } from './folders.ts';

/** Small ones are hashed here, large ones in threads. */
const SIZES = [10, 5 * 1024 * 1024, 6 * 1024 * 1024, 7 * 1024 * 1024];

function blobFiles() {
  const root = tempFolder();
  mkdirSync(join(root, 'blobs/sha256'), { recursive: true });
  return SIZES.map((size, i) => {
    const bytes = Buffer.alloc(size, i + 1);
    const digest = digestOf(bytes);
    const file = { root, names: blobNames(digest) };
    writeFileSync(join(root, ...file.names), bytes);
    return { file, bytes, path: join(root, ...file.names), descriptor: { mediaType: 'x', digest, size } };
  });
}

test('all that is there and intact is found', async () => {
  const blobs = blobFiles();
  expect(await intactBlobFiles(blobs)).toEqual(new Set(blobs.map(({ descriptor }) => descriptor.digest)));
});

test.each(SIZES.map((size, i) => [size, i] as const))(
  'damage to a blob of %i bytes is found',
  async (size, at) => {
    const blobs = blobFiles();
    const damaged = blobs[at] ?? expect.fail();
    damaged.bytes[size - 1] = 0xff;
    writeFileSync(damaged.path, damaged.bytes);
    const others = blobs.filter((blob) => blob !== damaged);
    expect(await intactBlobFiles(blobs)).toEqual(new Set(others.map(({ descriptor }) => descriptor.digest)));
  },
);

test('what is absent, or of another size, is not intact', async () => {
  const [first, second, ...others] = blobFiles();
  if (first === undefined || second === undefined) throw new Error('too few');
  writeFileSync(second.path, Buffer.concat([second.bytes, Buffer.from('x')]));
  const absent = { ...first, file: { ...first.file, names: blobNames(digestOf(Buffer.from('absent'))) } };
  expect((await intactBlobFiles([absent, second, ...others])).size).toBe(others.length);
});

test('an abort rejects with its reason', async () => {
  const reason = new Error('enough');
  await expect(intactBlobFiles(blobFiles(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

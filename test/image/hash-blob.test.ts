import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import { isDrayageError } from '../../src/errors.ts';
import { proveAll } from '../../src/image/prove.ts';
import { provenSize } from '../../src/image/proven.ts';
import { fileDigesters } from '../../src/ingest/hash.ts';
import { Thread } from '../../src/ingest/thread.ts';
import { Threads } from '../../src/ingest/threads.ts';
import { StoredContent } from '../../src/layout/stored-content.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { digestHex } from '../../src/oci/digest.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { OCI_LAYER } from '../../src/oci/media-types.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { tempFolder } from '../layout/folders.ts';

const MIB = 1024 * 1024;

interface Stored {
  content: StoredContent;
  blob: Descriptor;
  path: string;
}

/** An uncompressed layer as a layout has it: bytes that nothing else has, and that no magic begins. */
function stored(bytes = Buffer.concat([Buffer.from('plain'), randomBytes(2 * MIB)])): Stored {
  const content = new StoredContent(tempFolder());
  const blob = describeBytes(bytes);
  const path = join(content.root, 'blobs', 'sha256', digestHex(blob.digest));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return { content, blob, path };
}

/** What a proof that the blob is its own layer comes to, and how many files threads read for it. */
async function outcome({ content, blob }: Stored, concurrency: number): Promise<[unknown, number]> {
  const run = vi.spyOn(Thread.prototype, 'run');
  const files = (): number => run.mock.calls.filter(([job]) => job.kind === 'file').length;
  const layer = { diffId: blob.digest, blob };
  try {
    await proveAll(content, [layer], { concurrency });
    return [provenSize(layer), files()];
  } catch (error) {
    return [isDrayageError(error) ? error.code : error, files()];
  } finally {
    run.mockRestore();
  }
}

const CASES: [name: string, make: () => Stored, expected: number | string, files: number][] = [
  ['that is intact', () => stored(), 2 * MIB + 5, 1],
  ['that is small', () => stored(Buffer.from(`plain ${randomBytes(99).toString('hex')}`)), 204, 0],
  [
    'with another byte',
    () => {
      const made = stored();
      writeFileSync(made.path, Buffer.concat([Buffer.from('plane'), randomBytes(2 * MIB)]));
      return made;
    },
    'DIGEST_MISMATCH',
    1,
  ],
  [
    'with a byte less',
    () => {
      const made = stored();
      truncateSync(made.path, 2 * MIB);
      return made;
    },
    'SIZE_MISMATCH',
    0,
  ],
  [
    'with a byte more',
    () => {
      const made = stored();
      appendFileSync(made.path, 'x');
      return made;
    },
    'SIZE_MISMATCH',
    0,
  ],
  [
    'that is absent',
    () => {
      const made = stored();
      rmSync(made.path);
      return made;
    },
    'NOT_FOUND',
    0,
  ],
  ['that is compressed', () => stored(gzipSync(randomBytes(2 * MIB))), 'DIGEST_MISMATCH', 1],
];

test.each(CASES)('a blob %s is proven by a thread as it is here', async (_, make, expected, files) => {
  expect(await outcome(make(), 1)).toEqual([expected, 0]);
  expect(await outcome(make(), 2)).toEqual([expected, files]);
});

test.each([
  ['shorter', (path: string) => truncateSync(path, MIB)],
  ['longer', (path: string) => appendFileSync(path, 'x')],
  ['another one', (path: string) => writeFileSync(path, randomBytes(2 * MIB + 5), { flag: 'r+' })],
  ['the same once more', (path: string, bytes: Buffer) => writeFileSync(path, bytes, { flag: 'r+' })],
])('a blob whose file becomes %s meanwhile is not intact', async (_, change) => {
  const bytes = Buffer.concat([Buffer.from('plain'), randomBytes(2 * MIB)]);
  const { content, blob, path } = stored(bytes);
  // Longer than the clock of any file system takes for a step.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await using threads = new Threads(1);
  const digestFile = async (file: number, size: number): Promise<Digest> => {
    change(path, bytes);
    const digester = fileDigesters(threads)(file);
    digester.grown(size);
    return digester.digest();
  };
  await expect(content.hashBlob(blob, { digestFile })).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    message: expect.stringContaining('was changed while it was read') as string,
  });
});

test('a blob of a layer type that nobody reads is refused, however it is stored', async () => {
  const { content, blob } = stored();
  const layer = { diffId: blob.digest, blob: { ...blob, mediaType: `${OCI_LAYER}+xz` } };
  await expect(proveAll(content, [layer], { concurrency: 2 })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
});

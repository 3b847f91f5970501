import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { ContentSource } from '../../src/content/source.ts';
import { keepDocuments } from '../../src/image/keep-documents.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { OCI_CONFIG, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { contentSourceContract } from '../contract/content.ts';
import { MemoryContent } from '../support/memory-content.ts';

contentSourceContract('what keeps documents', async (blobs, damaged) => {
  const content = new MemoryContent(blobs);
  for (const [{ digest }, bytes] of damaged) content.blobs.set(digest, bytes);
  return { place: keepDocuments(content) };
});

/** A source of documents that counts how often each is opened. */
function counted(documents: readonly Uint8Array[]): { source: MemoryContent; opened: Digest[] } {
  const source = new MemoryContent(documents);
  const opened: Digest[] = [];
  const open = source.open.bind(source);
  source.open = async (descriptor, options) => {
    opened.push(descriptor.digest);
    return open(descriptor, options);
  };
  return { source, opened };
}

async function read(source: ContentSource, descriptor: Descriptor, offset = 0): Promise<Buffer> {
  return buffer(await source.open(descriptor, { offset }));
}

describe('content that is read twice', () => {
  const large = Buffer.alloc(65 * 1024, 'x');
  test.each([
    ['a manifest', large, OCI_MANIFEST, 1],
    ['a config', large, OCI_CONFIG, 1],
    ['a small blob', large.subarray(1024), 'text/plain', 1],
    ['a larger one', large, 'text/plain', 2],
  ])('is opened as often as has to be: %s', async (_, bytes, mediaType, times) => {
    const { source, opened } = counted([bytes]);
    const keeping = keepDocuments(source);
    const descriptor = describeBytes(bytes, mediaType);
    expect((await read(keeping, descriptor)).equals(bytes)).toBe(true);
    expect((await read(keeping, descriptor, 5)).equals(bytes.subarray(5))).toBe(true);
    expect(opened).toHaveLength(times);
  });

  test('is opened once more for a size that is not its own, and that is told', async () => {
    const bytes = Buffer.from('{}');
    const { source } = counted([bytes]);
    const keeping = keepDocuments(source);
    const descriptor = describeBytes(bytes, OCI_MANIFEST);
    await read(keeping, descriptor);
    const wrong = { ...descriptor, size: 3 };
    expect(await keeping.has(wrong)).toBe(false);
    await expect(read(keeping, wrong)).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
  });

  test('is not kept where it was damaged', async () => {
    const bytes = Buffer.from('{"a":1}');
    const { source } = counted([bytes]);
    const descriptor = describeBytes(bytes, OCI_MANIFEST);
    source.blobs.set(descriptor.digest, Buffer.from('{"a":2}'));
    const keeping = keepDocuments(source);
    await expect(read(keeping, descriptor)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    source.blobs.set(descriptor.digest, bytes);
    expect(await read(keeping, descriptor)).toEqual(bytes);
  });
});

test('no more is kept than was allowed, and what came first goes first', async () => {
  const documents = ['a', 'b', 'c'].map((text) => Buffer.from(text.repeat(100)));
  const { source, opened } = counted([...documents, Buffer.alloc(251)]);
  const keeping = keepDocuments(source, 250);
  const [a, b, c] = documents.map((bytes) => describeBytes(bytes, OCI_MANIFEST));
  for (const one of [a, b, c, c, b, a]) await read(keeping, one ?? expect.fail());
  expect(opened).toEqual([a, b, c, a].map((one) => one?.digest));
  opened.splice(0);
  const tooLarge = describeBytes(Buffer.alloc(251), OCI_MANIFEST);
  for (const one of [tooLarge, tooLarge, a, c]) await read(keeping, one ?? expect.fail());
  expect(opened).toEqual([tooLarge.digest, tooLarge.digest]);
});

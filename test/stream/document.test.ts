import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { MAX_DOCUMENT_SIZE } from '../../src/oci/parse.ts';
import { assertDocumentSize, readDocument } from '../../src/stream/document.ts';
import { CHUNKINGS, source } from './sources.ts';

const content = Buffer.from('{"schemaVersion":2}');

/** The descriptor of these bytes, with another size if one is given. */
function describing(bytes: Uint8Array, size: number = bytes.length): Descriptor {
  return { mediaType: 'application/json', digest: digestOf(bytes), size };
}

describe.each(CHUNKINGS)('readDocument, $name', ({ size }) => {
  test('reads a document whole', async () => {
    expect((await readDocument(source(content, size), describing(content))).equals(content)).toBe(true);
  });

  test.each([
    { name: 'another content', input: Buffer.from('{"schemaVersion":3}'), code: 'DIGEST_MISMATCH' },
    { name: 'a short content', input: content.subarray(0, -1), code: 'SIZE_MISMATCH' },
    { name: 'a long content', input: Buffer.concat([content, content]), code: 'SIZE_MISMATCH' },
  ])('refuses $name', async ({ input, code }) => {
    await expect(readDocument(source(input, size), describing(content))).rejects.toMatchObject({ code });
  });
});

test('a document over the limit is refused before its first byte is read', async () => {
  const watched = source(content);
  const error = { code: 'LIMIT', facts: { expected: 18, actual: 19 } };
  await expect(readDocument(watched, describing(content), 18)).rejects.toMatchObject(error);
  expect(watched.chunks).toBe(0);
  await expect(readDocument(source(content), describing(content), 19)).resolves.toEqual(content);
});

test('the limit is 4 MiB unless told otherwise', () => {
  expect(MAX_DOCUMENT_SIZE).toBe(4_194_304);
  expect(() => assertDocumentSize(describing(content, 4_194_304))).not.toThrow();
  expect(() => assertDocumentSize(describing(content, 4_194_305))).toThrow(
    expect.objectContaining({ code: 'LIMIT' }),
  );
});

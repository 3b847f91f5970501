import { expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { namedContent } from '../../src/oci/named-content.ts';

const DIGEST = digestOf(Buffer.from('content'));
const OTHER = digestOf(Buffer.from('other'));

test('descriptors are found wherever they stand, as what identifies them', () => {
  const descriptor = { mediaType: 'text/plain', digest: DIGEST, size: 7 };
  const document = { a: [[{ ...descriptor, annotations: 'of another kind' }]], b: null, c: 1 };
  expect(namedContent(document)).toEqual({ descriptors: [descriptor], digests: [DIGEST] });
});

test.each([
  [{ digest: DIGEST, size: 7 }],
  [{ mediaType: 'text/plain', digest: DIGEST }],
  [{ mediaType: 'text/plain', digest: DIGEST, size: -1 }],
  [{ mediaType: 'text/plain', digest: DIGEST, size: '7' }],
  [[DIGEST]],
  [{ [DIGEST]: {} }],
  [DIGEST],
])('what is no descriptor names its digest all the same: %j', (document) => {
  expect(namedContent(document)).toEqual({ descriptors: [], digests: [DIGEST] });
});

test('what a descriptor holds is looked at, too', () => {
  const outer = { mediaType: 'text/plain', digest: DIGEST, size: 7, annotations: { base: OTHER } };
  expect(new Set(namedContent(outer).digests)).toEqual(new Set([DIGEST, OTHER]));
});

test('texts that only contain a digest, and other values, name nothing', () => {
  for (const value of [`app@${DIGEST}`, 'sha256:x', 1, true, null, undefined, [], {}])
    expect(namedContent({ value })).toEqual({ descriptors: [], digests: [] });
});

test('no depth is too deep', () => {
  const depth = 500_000;
  const document = JSON.parse(`${'['.repeat(depth)}"${DIGEST}"${']'.repeat(depth)}`) as unknown;
  expect(namedContent(document).digests).toEqual([DIGEST]);
});

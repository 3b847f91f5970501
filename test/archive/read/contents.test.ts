import { expect, test } from 'vitest';
import { layerDigest } from '../../../src/archive/read/contents.ts';

const HEX = '0123456789abcdef'.repeat(4);

test.each([
  [`blobs/sha256/${HEX}`, `sha256:${HEX}`],
  [`blobs/sha512/${HEX}${HEX}`, `sha512:${HEX}${HEX}`],
  [`${HEX}.tar`, `sha256:${HEX}`],
  [`${HEX}/layer.tar`, undefined],
  [`${HEX}.tar.gz`, undefined],
  [`${HEX.slice(1)}.tar`, undefined],
  [`x/${HEX}.tar`, undefined],
  [`blobs/sha256/${HEX.toUpperCase()}`, undefined],
  [`blobs/sha256/${HEX}/x`, undefined],
])('the name %s promises %s', (name, digest) => {
  expect(layerDigest(name)).toBe(digest);
});
